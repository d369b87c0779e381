// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader/deliver"
)

// deliverPair is a network in which node a draws from the ordering service and serves in its place.
type deliverPair struct {
	*orderertest.Network
	t *testing.T
	a *Node
}

const outlet = "weft-a:7050"

func newDeliverPair(t *testing.T) *deliverPair {
	t.Helper()
	p := &deliverPair{Network: orderertest.New(t), t: t}
	p.a = p.node("a")
	return p
}

// node makes a node of Org1 that nobody reaches but by Deliver.
func (p *deliverPair) node(name string) *Node {
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableMetrics(), libp2p.ResourceManager(&network.NullResourceManager{}))
	require.NoError(p.t, err)
	p.t.Cleanup(func() { require.NoError(p.t, h.Close()) })
	local, err := orderertest.Enroll(p.t, p.Org1, name, devnet.Peer).Local()
	require.NoError(p.t, err)
	n, err := New(h, nil, local, WithDataDir(p.t.TempDir()))
	require.NoError(p.t, err)
	p.t.Cleanup(func() { require.NoError(p.t, n.Close()) })
	return n
}

func (p *deliverPair) join(n *Node, opts ...JoinOption) *Channel {
	c, err := n.Join(p.t.Context(), p.Genesis, append(opts, AsLeader(), WithOrdererDialer(p.Dial))...)
	require.NoError(p.t, err)
	return c
}

// serve serves node a's channels; ended gives what ServeDeliver has returned.
func (p *deliverPair) serve(ctx context.Context) (ended <-chan error) {
	l := p.Listen(outlet)
	done := make(chan error, 1)
	cfg := DeliverServer{Certificate: *orderertest.TLS(p.t, p.Org1, "weft-a"), Orderer: p.Addresses[0]}
	go func() { done <- p.a.ServeDeliver(ctx, l, cfg) }()
	return done
}

// toA leads streams for the orderers to node a.
func (p *deliverPair) toA() JoinOption {
	var d Deliver
	for _, from := range p.Addresses {
		d.Overrides = append(d.Overrides, deliver.Override{From: from, To: outlet, TLSRoots: [][]byte{p.Org1.TLSRoot()}})
	}
	return WithDeliver(d)
}

// A weft node pulls from another one as from an orderer, and its envelopes reach the orderer through it.
func TestNodeDrawsFromNode(t *testing.T) {
	p := newDeliverPair(t)
	o := p.Orderer(t, p.Config())
	p.Fill(t, o, 4)
	ctx, cancel := context.WithCancel(t.Context())
	ended := p.serve(ctx)
	a := p.join(p.a)
	require.NoError(t, a.WaitHeight(ctx, 4))
	b := p.join(p.node("b"), p.toA())
	require.NoError(t, b.WaitHeight(ctx, 4))
	p.Configure(t, o, devnet.SetAnchors("Org1", "peer0.org1.example.com:7051"))
	p.Fill(t, o, 7)
	require.NoError(t, b.WaitHeight(ctx, 7))
	_, most := o.Streams()
	require.Equal(t, 1, most, "the orderer has one client")

	// From b through a to the orderer, for the listener's own address alone.
	answer, err := b.forwarder.Broadcast(ctx, p.Addresses[1], p.Transaction(t, 10))
	require.NoError(t, err)
	require.EqualValues(t, 200, answer.GetStatus(), answer.GetInfo())
	_, err = o.Cut(ctx)
	require.NoError(t, err)
	require.NoError(t, b.WaitHeight(ctx, 8))
	require.EqualValues(t, 8, o.Height())
	_, err = b.forwarder.Broadcast(ctx, "elsewhere:7050", p.Transaction(t, 10))
	require.ErrorIs(t, err, deliver.ErrNotOrderer)

	cancel()
	require.NoError(t, <-ended)
}

// What Deliver clients are told follows the life of the channel and of the node.
func TestServingEndsWithTheChannel(t *testing.T) {
	p := newDeliverPair(t)
	p.Fill(t, p.Orderer(t, p.Config()), 2)
	ended := p.serve(t.Context())
	require.Nil(t, p.a.served(p.Channel), "not joined yet")
	a := p.join(p.a)
	require.NoError(t, a.WaitHeight(t.Context(), 2))
	chain := p.a.served(p.Channel)
	now, _ := chain.Look()
	require.NoError(t, now.Stuck)
	require.EqualValues(t, 2, now.Height)
	require.NoError(t, a.Close())
	require.Nil(t, p.a.served(p.Channel))
	now, _ = chain.Look()
	require.Error(t, now.Stuck, "streams that run end")
	require.NoError(t, p.a.Close())
	require.ErrorIs(t, <-ended, ErrClosed)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.Error(t, p.a.ServeDeliver(t.Context(), l, DeliverServer{}), "no certificate")
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

// A node that has known of a signed header for 5 s, and has no block to it, says so to its Deliver clients; not before, and no longer than
// that.
func TestServingNodeNoticesThatItIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDeliverPair(t)
		o := p.Orderer(t, p.Config())
		p.Fill(t, o, 2)
		a := p.join(p.a)
		require.NoError(t, a.WaitHeight(t.Context(), 2))
		chain := p.a.served(p.Channel)
		stuck := func() error {
			now, _ := chain.Look()
			return now.Stuck
		}
		a.sync.Extend(3, []byte("hash of a verified header"))
		require.NoError(t, stuck())
		time.Sleep(4 * time.Second)
		require.NoError(t, stuck())
		time.Sleep(time.Second)
		require.ErrorContains(t, stuck(), "block 3 was made 5s ago and is not here")
		p.Fill(t, o, 4)
		require.NoError(t, a.WaitHeight(t.Context(), 4))
		require.NoError(t, stuck())
	})
}

// TestSimplePolicy: peer.deliveryclient.policy decides whether headers of other orderers are read.
func TestSimplePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newDeliverPair(t)
		c := p.join(p.a)
		require.NotNil(t, c.orderersConfig(&joinConfig{}).Verifier)
		require.Nil(t, c.orderersConfig(&joinConfig{deliver: Deliver{Simple: true}}).Verifier)
	})
}
