// SPDX-License-Identifier: Apache-2.0

package daemon_test

import (
	"context"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/internal/admin"
	"github.com/weft-p2p/weft/internal/coreyaml"
	"github.com/weft-p2p/weft/internal/daemon"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
)

// Each case is a directory that a peer has used before, in which one thing has changed since.
func TestNewRefusesBadInput(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, n *network, c *coreyaml.Config)
		is     error
		says   string
	}{
		"host key open to others": {func(t *testing.T, _ *network, c *coreyaml.Config) {
			require.NoError(t, os.Chmod(filepath.Join(c.DataDir(), "host.key"), 0o644))
		}, host.ErrKeyMode, "chmod 0600"},
		"another organization": {func(t *testing.T, n *network, c *coreyaml.Config) {
			require.NoError(t, orderertest.Enroll(t, n.Org2, "peer0", devnet.Peer).WriteMSP(filepath.Join(n.dir, "msp")))
			c.MSPID, c.MSPPath = n.Org2.MSPID, filepath.Join(n.dir, "msp")
		}, daemon.ErrOtherIdentity, "give each peer its own weft.dataDir"},
		"another host key": {func(t *testing.T, n *network, c *coreyaml.Config) {
			require.NoError(t, os.Remove(filepath.Join(c.DataDir(), "host.key")))
			_, err := host.LoadKey(filepath.Join(c.DataDir(), "host.key"))
			require.NoError(t, err)
		}, daemon.ErrOtherIdentity, "restore the right one"},
		"host key lost": {func(t *testing.T, n *network, c *coreyaml.Config) {
			require.NoError(t, os.Remove(filepath.Join(c.DataDir(), "host.key")))
		}, daemon.ErrOtherIdentity, "is gone"},
		"identity damaged": {func(t *testing.T, _ *network, c *coreyaml.Config) {
			require.NoError(t, os.WriteFile(filepath.Join(c.DataDir(), "identity"), []byte("12D3\n"), 0o600))
		}, nil, "is damaged"},
		"data directory is a file": {func(t *testing.T, n *network, c *coreyaml.Config) {
			c.FileSystemPath = filepath.Join(n.dir, "file")
			require.NoError(t, os.WriteFile(c.FileSystemPath, nil, 0o600))
		}, nil, "choose another one with weft.dataDir"},
		"data directory too long for a socket": {func(t *testing.T, n *network, c *coreyaml.Config) {
			c.FileSystemPath = filepath.Join(n.dir, strings.Repeat("x", 150))
		}, admin.ErrSocket, "shorter weft.dataDir"},
		"no MSP": {func(_ *testing.T, n *network, c *coreyaml.Config) {
			c.MSPPath = filepath.Join(n.dir, "none")
		}, nil, "peer.mspConfigPath"},
		"address of another machine": {func(_ *testing.T, _ *network, c *coreyaml.Config) {
			c.ListenAddresses = []string{"/ip4/192.0.2.1/tcp/0"}
		}, nil, "listen on /ip4/192.0.2.1/tcp/0, of weft.listenAddresses"},
		"address without a transport": {func(_ *testing.T, _ *network, c *coreyaml.Config) {
			c.ListenAddresses = []string{"/ip4/127.0.0.1"}
		}, nil, "listen on /ip4/127.0.0.1, of weft.listenAddresses"},
		"no multiaddr": {func(_ *testing.T, _ *network, c *coreyaml.Config) {
			c.ListenAddresses = []string{"localhost"}
		}, nil, "weft.listenAddresses"},
		"roots of an override missing": {func(_ *testing.T, n *network, c *coreyaml.Config) {
			c.Deliver.AddressOverrides = []coreyaml.AddressOverride{{From: "a:1", To: "b:1", CACertsFile: filepath.Join(n.dir, "none")}}
		}, fs.ErrNotExist, "addressOverrides from a:1"},
		"client certificate missing": {func(_ *testing.T, n *network, c *coreyaml.Config) {
			c.Deliver.ClientCert, c.Deliver.ClientKey = filepath.Join(n.dir, "none"), filepath.Join(n.dir, "none")
		}, fs.ErrNotExist, "peer.tls.clientCert.file"},
		"timing that cannot work": {func(_ *testing.T, _ *network, c *coreyaml.Config) {
			c.Gossip.AliveExpirationTimeout = c.Gossip.AliveTimeInterval
		}, nil, "peer.gossip.aliveExpirationTimeout"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			core := n.core(t, n.Org1, "peer0")
			start(t, daemon.Config{Core: core}).stop()
			c.change(t, n, core)
			_, err := daemon.New(daemon.Config{Core: core})
			require.ErrorContains(t, err, c.says)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
			require.NoFileExists(t, daemon.SocketPath(core.DataDir()))
		})
	}
}

func TestNewRefusesBadGenesisFiles(t *testing.T) {
	n := newNetwork(t)
	file := filepath.Join(n.dir, "genesis.block")
	require.NoError(t, os.WriteFile(file, []byte("no block"), 0o600))
	for path, says := range map[string]string{file: file, filepath.Join(n.dir, "none"): "no such file"} {
		_, err := daemon.New(daemon.Config{Core: n.core(t, n.Org1, "peer0"), Join: []string{path}})
		require.ErrorContains(t, err, "read genesis block")
		require.ErrorContains(t, err, says)
	}
}

func TestOneProcessADirectory(t *testing.T) {
	n := newNetwork(t)
	core := n.core(t, n.Org1, "peer0")
	first := start(t, daemon.Config{Core: core})
	_, err := daemon.New(daemon.Config{Core: core})
	require.ErrorIs(t, err, daemon.ErrInUse)
	require.ErrorContains(t, err, core.DataDir())
	_, err = first.Version(t.Context())
	require.NoError(t, err, "the first is left alone")
	first.stop()
	start(t, daemon.Config{Core: core})
}

func TestJoinRefusesBadInput(t *testing.T) {
	n := newNetwork(t)
	n.order(t, 2)
	d := start(t, daemon.Config{Core: n.core(t, n.Org1, "peer0")})
	_, err := d.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	_, err = d.Join(t.Context(), n.genesisBytes(t))
	require.ErrorIs(t, err, admin.ErrConflict)
	require.EqualError(t, err, "channel orders is joined already")

	d.reach(t, n.Channel, 2)
	second, err := d.Block(t.Context(), n.Channel, "1", nil)
	require.NoError(t, err)
	for name, raw := range map[string][]byte{"nothing": nil, "no block": []byte("no block"), "block 1": second} {
		_, err := d.Join(t.Context(), raw)
		require.ErrorIs(t, err, admin.ErrInvalid, name)
	}

	require.NoError(t, d.Leave(t.Context(), n.Channel))
	require.ErrorIs(t, d.Leave(t.Context(), n.Channel), admin.ErrNotFound)
	_, err = d.Join(t.Context(), newNetwork(t).genesisBytes(t))
	require.ErrorIs(t, err, admin.ErrConflict)
	require.ErrorContains(t, err, "use another data directory")
	list, err := d.Channels(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestUnreachableOrderer(t *testing.T) {
	n, log := newNetwork(t), newListener()
	d := start(t, daemon.Config{Core: n.core(t, n.Org1, "peer0"), Log: log.logger()})
	_, err := d.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	log.await(t, "no blocks from the ordering service")
	s, err := d.Channel(t.Context(), n.Channel)
	require.NoError(t, err)
	require.Equal(t, admin.Running, s.State)
	require.Equal(t, "failing", s.Source.State)
	require.Positive(t, s.Source.Failures)
	require.Contains(t, s.Source.Error, n.address)
	status, body := get(t, d, "/healthz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, `"component":"channel orders"`)
	require.Contains(t, body, "no orderer has delivered since")

	n.order(t, 3) // it has kept trying
	d.reach(t, n.Channel, 3)
	status, body = get(t, d, "/healthz")
	require.Equal(t, http.StatusOK, status, body)
}

func TestUnreachableBootstrap(t *testing.T) {
	n := newNetwork(t)
	core := follow(n.core(t, n.Org1, "peer0"))
	core.Bootstrap = []string{n.address} // nobody listens there
	d := start(t, daemon.Config{Core: core})
	_, err := d.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	status, body := get(t, d, "/healthz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "no member of the channel is connected")
}

func TestAChannelThatCannotBeJoinedAgainIsShown(t *testing.T) {
	n, other := newNetwork(t), newNetwork(t)
	n.order(t, 2)
	core := n.core(t, n.Org1, "peer0")
	first := start(t, daemon.Config{Core: core})
	_, err := first.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	first.stop()
	broken := filepath.Join(core.DataDir(), "channels", "broken.block")
	require.NoError(t, os.WriteFile(broken, []byte("no block"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(core.DataDir(), "channels", "renamed.block"), other.genesisBytes(t), 0o600))

	log := newListener()
	second := start(t, daemon.Config{Core: core, Log: log.logger()})
	second.reach(t, n.Channel, 2)
	list, err := second.Channels(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 3)
	require.Equal(t, "broken", list[0].Channel)
	require.Equal(t, admin.Stopped, list[0].State)
	require.Contains(t, list[0].Error, broken)
	require.Equal(t, admin.Running, list[1].State)
	require.Contains(t, list[2].Error, `genesis block of channel "orders"`)
	log.await(t, "channel not joined")
	_, err = second.Block(t.Context(), "broken", "0", nil)
	require.ErrorContains(t, err, "has stopped")
	status, body := get(t, second, "/healthz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "channel broken")

	require.NoError(t, second.Leave(t.Context(), "broken"))
	require.NoFileExists(t, broken)
}

func TestNotesAndWarningsAreLogged(t *testing.T) {
	n, log := newNetwork(t), newListener()
	core := n.core(t, n.Org1, "peer0")
	core.Warnings, core.Notes = []string{"seldom meant"}, []string{"has no effect"}
	start(t, daemon.Config{Core: core, Log: log.logger()})
	log.await(t, `level=WARN msg="seldom meant"`)
	log.await(t, `level=INFO msg="has no effect"`)
}

func TestAChannelThatStopsIsShownAndJoinedAnew(t *testing.T) {
	n := newNetwork(t)
	n.order(t, 2)
	d := start(t, daemon.Config{Core: n.core(t, n.Org1, "peer0")})
	_, err := d.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	d.reach(t, n.Channel, 2)
	require.NoError(t, d.Node().Channel(n.Channel).Close()) // as an error of the disk would
	s, err := d.Channel(t.Context(), n.Channel)
	require.NoError(t, err)
	require.Equal(t, admin.Stopped, s.State)
	require.EqualValues(t, 2, s.Height)
	require.NotEmpty(t, s.Error)
	_, err = d.Block(t.Context(), n.Channel, "0", nil)
	require.ErrorContains(t, err, "has stopped")
	status, body := get(t, d, "/healthz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "stopped: ")

	_, err = d.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	n.Fill(t, n.service, 3)
	d.reach(t, n.Channel, 3)
}

func TestTheEndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		began := time.Now()
		require.ErrorIs(t, daemon.Await(ctx, make(chan error)), daemon.ErrSlow)
		require.Less(t, time.Since(began), time.Hour+5*time.Second)

		ended := make(chan error, 1)
		time.AfterFunc(time.Second, func() { ended <- fs.ErrInvalid })
		require.ErrorIs(t, daemon.Await(ctx, ended), fs.ErrInvalid)
	})
}
