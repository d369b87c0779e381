// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
)

// requireChain requires what must hold of every peer at any time, whatever happened to it: its blocks are the ordering
// service's, each exactly once, in order, with five metadata entries of which the unsigned ones are empty; nothing it
// waited for was skipped; it has not failed.
func (n *testNet) requireChain(p *testPeer, height uint64) {
	t := n.t
	t.Helper()
	require.NoError(t, p.channel.Err(), "peer %d", p.number)
	require.GreaterOrEqual(t, p.channel.Height(), height, "height of peer %d", p.number)
	var next uint64
	for b, err := range p.channel.Blocks(context.Background(), 0) {
		require.NoError(t, err)
		require.Equal(t, next, b.Header.Number, "peer %d", p.number)
		ordered := n.ordered(next)
		require.Equal(t, block.HeaderHash(ordered.Header), block.HeaderHash(b.Header), "block %d of peer %d", next, p.number)
		require.Equal(t, block.DataHash(ordered.Data), block.DataHash(b.Data), "data of block %d of peer %d", next, p.number)
		require.Len(t, b.Metadata.Metadata, 5)
		require.Empty(t, b.Metadata.Metadata[2])
		if next++; next == height {
			break
		}
	}
	require.Equal(t, height, next, "peer %d", p.number)
}

// copies is how many bytes the peers received on weft's protocols and on pubsub, as a multiple of the bytes of all ordered
// blocks times the peers: 1 would be every block once to every peer and nothing else. Leaders get their blocks from the
// ordering service besides.
func (n *testNet) copies() (bodies, gossip float64) {
	var weft, pubsub int64
	for _, p := range n.peers {
		w, g := p.traffic.received()
		weft, pubsub = weft+w, pubsub+g
	}
	var blocks int
	for number := range n.orderer.Height() {
		blocks += proto.Size(n.ordered(number))
	}
	all := float64(blocks * len(n.peers))
	return float64(weft) / all, float64(pubsub) / all
}

// requireView requires that each of the peers knows exactly the others as living members, at their true heights within a
// heartbeat, and a leader of its organization.
func (n *testNet) requireView(peers ...*testPeer) {
	n.t.Helper()
	n.requireMembers(peers...)
	for _, p := range peers {
		_, led := p.channel.Leader()
		require.True(n.t, led, "peer %d knows no leader", p.number)
	}
}

// requireMembers is requireView for peers whose organization may have no leader.
func (n *testNet) requireMembers(peers ...*testPeer) {
	n.t.Helper()
	time.Sleep(heartbeat)
	for _, p := range peers {
		n.requireKnown(p, slices.DeleteFunc(slices.Clone(peers), func(o *testPeer) bool { return o == p })...)
	}
}

// requireKnown requires that a peer knows exactly the named ones as living members, at their true heights.
func (n *testNet) requireKnown(p *testPeer, others ...*testPeer) {
	n.t.Helper()
	want, living := map[peer.ID]int{}, map[peer.ID]int{}
	for _, o := range others {
		want[o.host.ID()] = o.number
	}
	for _, m := range p.channel.Members() {
		if m.Alive {
			require.Equal(n.t, n.orderer.Height(), m.State.Height, "height of %s, as peer %d knows it", m.ID, p.number)
			living[m.ID] = want[m.ID]
		}
	}
	require.Equal(n.t, want, living, "living members, as peer %d knows them", p.number)
}

// heartbeat is how old what a view says may be: the interval, its tenth of jitter, and the way.
const heartbeat = 6 * time.Second
