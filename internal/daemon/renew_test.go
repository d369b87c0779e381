// SPDX-License-Identifier: Apache-2.0

package daemon_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/daemon"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
)

// renewed is a node whose MSP folder can be changed while it runs.
type renewed struct {
	running
	log    *listener
	hangup chan os.Signal
	msp    string
}

func startRenewed(t *testing.T, n *network) *renewed {
	t.Helper()
	r := &renewed{log: newListener(), hangup: make(chan os.Signal)}
	core := n.core(t, n.Org1, "peer0")
	r.msp = core.MSPPath
	r.running = start(t, daemon.Config{Core: core, Log: r.log.logger(), Hangup: r.hangup})
	r.log.await(t, "node started")
	return r
}

// replace puts another certificate, and another key, into the folder.
func (r *renewed) replace(t *testing.T, org *devnet.Org, role devnet.Role) *devnet.Node {
	t.Helper()
	for _, dir := range []string{"signcerts", "keystore"} {
		require.NoError(t, os.RemoveAll(filepath.Join(r.msp, dir)))
	}
	node := orderertest.Enroll(t, org, "peer0", role)
	require.NoError(t, node.WriteMSP(r.msp))
	return node
}

func (r *renewed) count(words string) int { return strings.Count(r.log.text(), words) }

// TestRenewedCertificateIsTakenAtSIGHUP: one line says so, and the peer ID stays.
func TestRenewedCertificateIsTakenAtSIGHUP(t *testing.T) {
	n := newNetwork(t)
	r := startRenewed(t, n)
	id := r.Node().ID()
	r.hangup <- syscall.SIGHUP
	require.Zero(t, r.count("identity renewed"), "nothing is new")

	node := r.replace(t, n.Org1, devnet.Peer)
	r.hangup <- syscall.SIGHUP
	r.log.await(t, "identity renewed")
	require.True(t, node.Certificate.NotAfter.Equal(r.Node().Expires()))
	r.hangup <- syscall.SIGHUP
	r.hangup <- syscall.SIGHUP // the one before has been answered
	require.Equal(t, 1, r.count("identity renewed"))
	require.Equal(t, id, r.Node().ID())
}

// TestBadRenewalIsToldAndTheOldIdentityStays: once, by a line that names the file or the fault; what is good later is taken.
func TestBadRenewalIsToldAndTheOldIdentityStays(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*testing.T, *network, *renewed)
		says  string
	}{
		{"no certificate", func(t *testing.T, n *network, r *renewed) {
			require.NoError(t, os.RemoveAll(filepath.Join(r.msp, "signcerts")))
		}, "signcerts"},
		{"no key", func(t *testing.T, n *network, r *renewed) {
			require.NoError(t, os.RemoveAll(filepath.Join(r.msp, "keystore")))
		}, "keystore"},
		{"a client's", func(t *testing.T, n *network, r *renewed) { r.replace(t, n.Org1, devnet.Client) }, "may not act as a peer"},
		{"of another organization", func(t *testing.T, n *network, r *renewed) {
			other, err := devnet.NewOrg("Other", time.Now())
			require.NoError(t, err)
			node := orderertest.Enroll(t, other, "peer0", devnet.Peer)
			for _, dir := range []string{"signcerts", "keystore"} {
				require.NoError(t, os.RemoveAll(filepath.Join(r.msp, dir)))
			}
			dir := t.TempDir()
			require.NoError(t, node.WriteMSP(dir))
			for _, sub := range []string{"signcerts", "keystore"} {
				require.NoError(t, os.CopyFS(filepath.Join(r.msp, sub), os.DirFS(filepath.Join(dir, sub))))
			}
		}, "signcerts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			const refused = "the one before stays in use"
			n := newNetwork(t)
			r := startRenewed(t, n)
			before := r.Node().Expires()
			c.spoil(t, n, r)
			r.hangup <- syscall.SIGHUP
			r.log.await(t, refused)
			require.Equal(t, 1, r.count(refused))
			r.Looks(t.Context(), 1)
			require.Equal(t, 1, r.count(refused), "a file may be on its way")
			r.Looks(t.Context(), 5)
			require.Equal(t, 2, r.count(refused), "what stays wrong is told once")
			require.Contains(t, r.log.text(), c.says)
			require.Equal(t, before, r.Node().Expires())
			r.replace(t, n.Org1, devnet.Peer)
			r.hangup <- syscall.SIGHUP
			r.log.await(t, "identity renewed")
		})
	}
}
