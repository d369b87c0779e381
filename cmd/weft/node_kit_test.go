// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
)

// bench is a channel with an ordering service on loopback, and the folder of a peer that leads its organization.
type bench struct {
	*orderertest.Network
	service *orderer.Orderer
	dir     string // holds core.yaml, msp and the data directory
	genesis string // file with the genesis block
}

// newBench makes them; FABRIC_CFG_PATH is the peer's folder.
func newBench(t *testing.T) *bench {
	t.Helper()
	dir, err := os.MkdirTemp("", "weft") // a short name: there is a Unix socket below it
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	b := &bench{Network: orderertest.New(t), dir: dir, genesis: filepath.Join(dir, "genesis.block")}
	raw, err := proto.Marshal(b.Genesis)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(b.genesis, raw, 0o600))
	require.NoError(t, orderertest.Enroll(t, b.Org1, "peer0", devnet.Peer).WriteMSP(filepath.Join(dir, "msp")))
	b.settings(t, b.order(t), "")
	t.Setenv("FABRIC_CFG_PATH", dir)
	return b
}

// order runs the ordering service until the test ends and returns its address.
func (b *bench) order(t *testing.T) string {
	t.Helper()
	var err error
	b.service, err = orderer.New(b.Config())
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- b.service.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
	})
	return l.Addr().String()
}

// settings writes core.yaml.
func (b *bench) settings(t *testing.T, orderer, more string) {
	t.Helper()
	text := fmt.Sprintf(`peer:
  localMspId: %s
  mspConfigPath: msp
  fileSystemPath: data
  gossip: {orgLeader: true, useLeaderElection: false}
  deliveryclient:
    addressOverrides: [{from: %q, to: %q}, {from: %q, to: %q}]
weft:
  dataDir: data
  listenAddresses: [/ip4/127.0.0.1/tcp/0]
  operations: {listenAddress: "127.0.0.1:0"}
%s`, b.Org1.MSPID, b.Addresses[0], orderer, b.Addresses[1], orderer, more)
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "core.yaml"), []byte(text), 0o600))
}

// awaited is a log that tests wait on.
type awaited struct {
	mu   sync.Mutex // guards all below
	text bytes.Buffer
	wake chan struct{} // closed at every write, and at the end
	over bool          // the command has ended
}

func (a *awaited) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.wake)
	a.wake = make(chan struct{})
	return a.text.Write(p)
}

func (a *awaited) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	close(a.wake)
	a.wake = make(chan struct{})
}

func (a *awaited) await(t *testing.T, words string) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		a.mu.Lock()
		text, wake, over := a.text.String(), a.wake, a.over
		a.mu.Unlock()
		if strings.Contains(text, words) {
			return
		}
		require.False(t, over, text)
		select {
		case <-wake:
		case <-limit:
			require.FailNow(t, "the log does not say "+words, text)
		}
	}
}

// startNodeCommand runs "weft node start" until stop is called, which is as SIGTERM.
func startNodeCommand(t *testing.T, args ...string) (log *awaited, stop func()) {
	t.Helper()
	log = &awaited{wake: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, append([]string{"node", "start"}, args...), &bytes.Buffer{}, log)
		log.end()
		ended <- code
	}()
	stop = sync.OnceFunc(func() {
		began := time.Now()
		cancel()
		assert.Equal(t, exitOK, <-ended)
		assert.Less(t, time.Since(began), 5*time.Second)
	})
	t.Cleanup(stop)
	log.await(t, "node started")
	return log, stop
}

// succeed runs a command and returns what it printed.
func succeed(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := execute(args...)
	require.Equal(t, exitOK, code, stderr)
	return stdout
}
