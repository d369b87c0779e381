// SPDX-License-Identifier: Apache-2.0

package weft_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// silentHost is a host that listens nowhere.
func silentHost(t *testing.T) host.Host {
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableMetrics(), libp2p.ResourceManager(&network.NullResourceManager{}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

func newOrg(t *testing.T, name string) *devnet.Org {
	org, err := devnet.NewOrg(name, time.Now())
	require.NoError(t, err)
	return org
}

func enroll(t *testing.T, org *devnet.Org, role devnet.Role) *msp.Local {
	node, err := org.Enroll("node", role, time.Now())
	require.NoError(t, err)
	local, err := node.Local()
	require.NoError(t, err)
	return local
}

func TestNewRefuses(t *testing.T) {
	org := newOrg(t, "Org1")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	attached := weft.NewGuard()
	_, err := attached.Attach(func(peer.ID, string) bool { return false }, func(peer.ID) bool { return false })
	require.NoError(t, err)
	for _, c := range []struct {
		name string
		role devnet.Role
		opts []weft.Option
		says string
	}{
		{"timing", devnet.Peer, []weft.Option{weft.WithTiming(membership.Timing{AliveInterval: -1})}, "aliveTimeInterval"},
		{"full mesh", devnet.Peer, []weft.Option{weft.WithFullMesh(0)}, "full mesh of 0 members"},
		{"fan-out", devnet.Peer, []weft.Option{weft.WithFanOut(65)}, "fan-out of 65 peers, want 1 to 64"},
		{"full mesh of too many", devnet.Peer, []weft.Option{weft.WithFullMesh(2001)}, "full mesh of 2001 members, want 2 to 2000"},
		{"both", devnet.Peer, []weft.Option{weft.WithFullMesh(0), weft.WithTiming(membership.Timing{})}, "full mesh of 0 members"},
		{"a data directory that is a file", devnet.Peer, []weft.Option{weft.WithDataDir(file)}, "data directory"},
		{"a client's identity", devnet.Client, nil, "may not act as a peer"},
		{"a guard of another node", devnet.Peer, []weft.Option{weft.WithGuard(attached)}, "attached to another node"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := silentHost(t)
			_, err := weft.New(h, nil, enroll(t, org, c.role), c.opts...)
			require.ErrorContains(t, err, c.says)

			n, err := weft.New(h, nil, enroll(t, org, devnet.Peer)) // nothing is left of the failed one
			require.NoError(t, err)
			require.NoError(t, n.Close())
		})
	}
}

func TestHostInUse(t *testing.T) {
	h, org := silentHost(t), newOrg(t, "Org1")
	h.SetStreamHandler("/weft/sync/1.0.0", func(s network.Stream) { _ = s.Reset() })
	_, err := weft.New(h, nil, enroll(t, org, devnet.Peer))
	require.ErrorIs(t, err, weft.ErrHostInUse)
	require.Contains(t, h.Mux().Protocols(), protocol.ID("/weft/sync/1.0.0"), "somebody else's handler stays")
}

func TestNodeWithoutChannels(t *testing.T) {
	h, org := silentHost(t), newOrg(t, "Org1")
	registry := prometheus.NewRegistry()
	n, err := weft.New(h, nil, enroll(t, org, devnet.Peer), weft.WithRegisterer(registry))
	require.NoError(t, err)
	require.Equal(t, h.ID(), n.ID())
	require.Equal(t, "Org1MSP", n.MSPID())
	require.Empty(t, n.Channels())
	require.Nil(t, n.Channel("trade"))
	_, err = n.FindPeer(context.Background(), "nobody")
	require.ErrorIs(t, err, routing.ErrNotFound)
	select {
	case <-n.Done():
		require.Fail(t, "done before Close")
	default:
	}
	require.NoError(t, n.Close())
	<-n.Done()
	require.NoError(t, n.Close())
}

func TestJoinRefuses(t *testing.T) {
	ctx := context.Background()
	net := newDevelopmentNetwork(ctx, 1)
	n, err := weft.New(silentHost(t), nil, net.identity("peer0"))
	require.NoError(t, err)
	defer func() { require.NoError(t, n.Close()) }()

	_, err = n.Join(ctx, net.genesis)
	require.ErrorIs(t, err, weft.ErrNoLedger)
	first, err := net.chain.Block(1)
	require.NoError(t, err)
	_, err = n.Join(ctx, first)
	require.ErrorIs(t, err, weft.ErrGenesis)
	altered := proto.CloneOf(net.genesis)
	altered.Header.DataHash[0] ^= 1
	_, err = n.Join(ctx, altered)
	require.ErrorIs(t, err, weft.ErrGenesis)
	require.Empty(t, n.Channels())
}

func TestJoinAfterItsContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	net := newDevelopmentNetwork(ctx, 0)
	n, err := weft.New(silentHost(t), nil, net.identity("peer0"), weft.WithDataDir(t.TempDir()))
	require.NoError(t, err)
	defer func() { require.NoError(t, n.Close()) }()
	cancel()
	_, err = n.Join(ctx, net.genesis)
	require.ErrorIs(t, err, context.Canceled)
	c, err := n.Join(context.Background(), net.genesis)
	require.NoError(t, err, "the ledger of the failed one is still open")
	require.EqualValues(t, 1, c.Height())
	require.False(t, c.Status().Leads)
	require.NoError(t, c.Close())
	_, led := c.Leader()
	require.False(t, led)
}

func TestIdentityOfAnotherOrganization(t *testing.T) {
	n, err := weft.New(silentHost(t), nil, enroll(t, newOrg(t, "Org1"), devnet.Peer))
	require.NoError(t, err)
	defer func() { require.NoError(t, n.Close()) }()
	err = n.SetIdentity(context.Background(), enroll(t, newOrg(t, "Org2"), devnet.Peer))
	require.ErrorIs(t, err, weft.ErrOtherOrg)
}
