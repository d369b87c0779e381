// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/topics"
)

// TestPullers: so many members of each organization pull as are set, the ordering service has so many streams and had
// never more than one besides for each organization, and each organization announces a block once.
func TestPullers(t *testing.T) {
	for name, pullers := range map[string]int{"one": 1, "two": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const orgs, blocks = 2, 10
				n := newNet(t, lan, orgs, 3)
				for _, p := range n.peers {
					p.wire, p.tap = &wire{}, &tap{}
					p.start(weft.WithElection(leader.Timing{Pullers: pullers}))
				}
				time.Sleep(10 * time.Second)
				n.order(blocks, 2<<10, 100*time.Millisecond)
				n.requireAll(time.Second, n.peers...)
				open, most := n.orderer.Streams()
				t.Logf("%d streams, %d at once at most", open, most)
				require.Equal(t, orgs*pullers, open)
				require.Equal(t, orgs*pullers, most)
				n.requirePullers(pullers)
				time.Sleep(time.Second)
				t.Logf("%d announcements of %d blocks", n.announced(), blocks)
				require.LessOrEqual(t, n.announced(), orgs*blocks)
				require.GreaterOrEqual(t, n.announced(), blocks)

				first := n.first(n.orgs[0].Name)
				first.crash()
				time.Sleep(5 * time.Second)
				n.order(blocks, 2<<10, 100*time.Millisecond)
				n.requireAll(time.Second, without(n.peers, first)...)
				n.requirePullers(pullers)
			})
		})
	}
}

// requirePullers requires that so many running peers of each organization lead.
func (n *testNet) requirePullers(want int) {
	n.t.Helper()
	by := map[string]int{}
	for _, p := range n.leaders() {
		by[p.org.Name]++
	}
	for _, org := range n.orgs {
		require.Equal(n.t, want, by[org.Name], org.Name)
	}
}

// first is the leader of an organization with the lowest ID.
func (n *testNet) first(org string) (first *testPeer) {
	for _, p := range n.leaders() {
		if p.org.Name == org && (first == nil || p.host.ID() < first.host.ID()) {
			first = p
		}
	}
	return first
}

// announced is how many announcements any peer has heard, on the topic or on the streams of the relay.
func (n *testNet) announced() int {
	name := topics.Name(topics.Announcements, channelName, block.HeaderHash(n.genesis.Header))
	heard := map[string]bool{}
	for _, p := range n.peers {
		for _, data := range append(p.tap.messages(name), announcements(p.wire.said(relay.Protocol.ID))...) {
			heard[string(data)] = true
		}
	}
	return len(heard)
}

// without are all peers but one.
func without(peers []*testPeer, one *testPeer) (rest []*testPeer) {
	for _, p := range peers {
		if p != one {
			rest = append(rest, p)
		}
	}
	return rest
}
