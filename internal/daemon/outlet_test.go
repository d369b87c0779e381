// SPDX-License-Identifier: Apache-2.0

package daemon_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/coreyaml"
	"github.com/weft-p2p/weft/internal/daemon"
)

// serving makes a configuration that of a peer that serves Deliver on an address, in place of the first orderer.
func (n *network) serving(t *testing.T, c *coreyaml.Config, address string) *coreyaml.Config {
	t.Helper()
	certPEM, keyPEM, err := n.Org1.TLS("localhost", []string{"127.0.0.1"}, time.Now())
	require.NoError(t, err)
	cert, key := filepath.Join(c.FileSystemPath, "server.crt"), filepath.Join(c.FileSystemPath, "server.key")
	require.NoError(t, os.WriteFile(cert, certPEM, 0o600))
	require.NoError(t, os.WriteFile(key, keyPEM, 0o600))
	c.DeliverListeners = []coreyaml.DeliverListener{{Listen: address, Orderer: n.Addresses[0], Cert: cert, Key: key}}
	return c
}

// One daemon draws from the ordering service, another one from the first: by the same keys as a stock peer's.
func TestDaemonServesDeliver(t *testing.T) {
	n := newNetwork(t)
	n.order(t, 3)
	address := freeAddress(t)
	first := start(t, daemon.Config{Core: n.serving(t, n.core(t, n.Org1, "peer0"), address)})
	_, err := first.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	first.reach(t, n.Channel, 3)

	core := n.core(t, n.Org2, "peer0")
	ca := filepath.Join(core.FileSystemPath, "ca.pem")
	require.NoError(t, os.WriteFile(ca, n.Org1.TLSRoot(), 0o600))
	for i := range core.Deliver.AddressOverrides {
		core.Deliver.AddressOverrides[i].To, core.Deliver.AddressOverrides[i].CACertsFile = address, ca
	}
	second := start(t, daemon.Config{Core: core})
	_, err = second.Join(t.Context(), n.genesisBytes(t))
	require.NoError(t, err)
	second.reach(t, n.Channel, 3)
	n.Fill(t, n.service, 5)
	second.reach(t, n.Channel, 5)
	_, most := n.service.Streams()
	require.Equal(t, 1, most, "the orderer has one client")
	first.stop() // within 5 s, although the stream is endless
}

func TestDeliverListenerThatCannotBe(t *testing.T) {
	n := newNetwork(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for name, tc := range map[string]struct {
		change func(*coreyaml.DeliverListener)
		says   string
	}{
		"address in use":     {func(l *coreyaml.DeliverListener) { l.Listen = taken.Addr().String() }, "is in use"},
		"no address of ours": {func(l *coreyaml.DeliverListener) { l.Listen = "192.0.2.1:1" }, "weft.deliver.listeners"},
		"no certificate":     {func(l *coreyaml.DeliverListener) { l.Cert = l.Key }, "TLS certificate of"},
		"no client CAs":      {func(l *coreyaml.DeliverListener) { l.ClientCAs = "nowhere" }, "clientCAsFile of"},
	} {
		core := n.serving(t, n.core(t, n.Org1, "peer0"), "127.0.0.1:0")
		tc.change(&core.DeliverListeners[0])
		_, err := daemon.New(daemon.Config{Core: core})
		require.ErrorContains(t, err, tc.says, name)
	}
}
