// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet/netdir"
	"github.com/weft-p2p/weft/leader/deliver"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// smallNet makes a network of one peer whose ordering service has a port that nobody listens at.
func smallNet(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	p := netdir.DefaultPlan()
	p.Orgs, p.Peers, p.OrdererPort = 1, 1, l.Addr().(*net.TCPAddr).Port
	dir := filepath.Join(t.TempDir(), "net")
	require.NoError(t, netdir.Init(t.Context(), dir, p, time.Now(), false))
	return dir
}

// startOrderer runs "weft orderer" until stop is called, which returns its exit code, and returns its log up to where it serves.
func startOrderer(t *testing.T, args ...string) (log []string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		code := run(ctx, append([]string{"orderer"}, args...), io.Discard, w)
		_ = w.Close()
		done <- code
	}()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		log = append(log, lines.Text())
		if strings.Contains(lines.Text(), "DEVELOPMENT") {
			go func() { _, _ = io.Copy(io.Discard, r) }()
			return log, func() int {
				cancel()
				return <-done
			}
		}
	}
	cancel()
	require.FailNow(t, "weft orderer did not start", "exit code %d, log %q", <-done, log)
	return nil, nil
}

// pull follows the chain as the network's peer up to a number, and verifies every block.
func pull(t *testing.T, dir string, last uint64) {
	t.Helper()
	material, err := netdir.ReadOrderer(netdir.OrdererDir(dir))
	require.NoError(t, err)
	bundle, err := channelconfig.FromBlock(material.Genesis)
	require.NoError(t, err)
	peer, err := msp.Load(filepath.Join(dir, "crypto", "peerOrganizations", "org1.example.com", "peers", "peer0.org1.example.com", "msp"), "Org1MSP")
	require.NoError(t, err)
	client, err := deliver.New(deliver.Config{
		Channel: bundle.ChannelID(), Endpoints: bundle.Endpoints, Signer: func() *msp.SigningIdentity { return peer.Signer },
	})
	require.NoError(t, err)
	chain := channelconfig.NewVerifier(bundle, material.Genesis.GetHeader())
	enough := errors.New("enough")
	err = client.Pull(t.Context(), 1, func(_ context.Context, b *common.Block) error {
		if err := chain.Verify(b); err != nil {
			return err
		}
		if b.GetHeader().GetNumber() == last {
			return enough
		}
		return chain.Advance(b)
	})
	require.ErrorIs(t, err, enough)
}

func TestOrdererOrdersAndGoesOn(t *testing.T) {
	dir := smallNet(t)
	folder := netdir.OrdererDir(dir)
	log, stop := startOrderer(t, folder, "--blocks", "5", "--rate", "100", "--block-size", "20KiB")
	require.Contains(t, strings.Join(log, "\n"), "height=1")
	pull(t, dir, 5)
	require.Equal(t, exitOK, stop(), "Ctrl-C is how it ends")

	log, stop = startOrderer(t, folder, "--blocks", "8", "--rate", "100")
	require.Contains(t, strings.Join(log, "\n"), "height=6")
	pull(t, dir, 8)
	require.Equal(t, exitOK, stop())

	log, stop = startOrderer(t, folder)
	require.Contains(t, strings.Join(log, "\n"), "height=9")
	pull(t, dir, 8)
	require.Equal(t, exitOK, stop())
}

func TestOrdererRefuses(t *testing.T) {
	dir := smallNet(t)
	folder := netdir.OrdererDir(dir)
	_, stop := startOrderer(t, folder)
	code, _, stderr := execute("orderer", folder)
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "directory is in use")
	require.Contains(t, stderr, "stop the other process")
	require.Equal(t, exitOK, stop())

	material, err := netdir.ReadOrderer(folder)
	require.NoError(t, err)
	l, err := net.Listen("tcp", material.ListenAddress)
	require.NoError(t, err)
	code, _, stderr = execute("orderer", folder)
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, material.ListenAddress+": bind: address already in use; stop the process that listens there")
	require.NoError(t, l.Close())

	require.NoError(t, netdir.Init(t.Context(), filepath.Join(dir, "other"), netdir.DefaultPlan(), time.Now(), false))
	other := netdir.OrdererDir(filepath.Join(dir, "other"))
	genesis, err := os.ReadFile(filepath.Join(other, "genesis.block"))
	require.NoError(t, err)
	write(t, folder, "genesis.block", genesis)
	code, _, stderr = execute("orderer", folder)
	require.Equal(t, exitError, code)
	require.Contains(t, stderr, "belongs to another channel; the genesis block of "+folder+" was replaced")
}

func TestOrdererUsage(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no folder":        {nil, exitUsage, "accepts 1 arg(s), received 0"},
		"rate alone":       {[]string{"net", "--rate", "5"}, exitUsage, "--rate needs --blocks"},
		"size alone":       {[]string{"net", "--block-size", "1MiB"}, exitUsage, "--block-size needs --blocks"},
		"no rate":          {[]string{"net", "--blocks", "1", "--rate", "0"}, exitUsage, "--rate 0: want more than 0"},
		"not a rate":       {[]string{"net", "--blocks", "1", "--rate", "NaN"}, exitUsage, "--rate NaN: want more than 0"},
		"tiny blocks":      {[]string{"net", "--blocks", "1", "--block-size", "1KiB"}, exitUsage, "--block-size 1024: want at least"},
		"no size":          {[]string{"net", "--blocks", "1", "--block-size", "big"}, exitUsage, "\"big\" is no size"},
		"fewer than none":  {[]string{"net", "--blocks", "-1"}, exitUsage, "invalid argument \"-1\""},
		"a host alone":     {[]string{"net", "--listen", "localhost"}, exitUsage, "missing port in address; write HOST:PORT"},
		"no such folder":   {[]string{"net"}, exitError, "name the folder \"orderer\" of a network made with weft devnet init"},
		"not this machine": {[]string{netdir.OrdererDir(smallNet(t)), "--listen", "203.0.113.1:7050"}, exitError, "choose an address of this machine with --listen"},
		"enormous blocks":  {[]string{netdir.OrdererDir(smallNet(t)), "--blocks", "1", "--block-size", "8MiB"}, exitError, "at most 2097152, which channel mychannel prefers"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := execute(append([]string{"orderer"}, tt.args...)...)
			require.Equal(t, tt.code, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, tt.want)
		})
	}
}

func TestOrdererSaysWhatItIs(t *testing.T) {
	_, stdout, _ := execute("orderer", "--help")
	require.Contains(t, stdout, "DEVELOPMENT ordering service: one process, no consensus")
	_, stdout, _ = execute("--help")
	require.Contains(t, stdout, "Run the DEVELOPMENT ordering service")
}
