// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
)

// gridSeed is a seed whose peer IDs stand in two rows of like length: with others, so few peers may all be neighbours.
const gridSeed = "9"

// sparse is two organizations of four peers each that stand in a grid, not all connected, and have met long ago: their heartbeats carry their
// records no more.
func sparse(t *testing.T) *testNet {
	n := newNet(t, wan, 2, 4)
	for _, p := range n.peers {
		p.options = []weft.Option{weft.WithFullMesh(2)}
	}
	n.startAll()
	time.Sleep(100 * time.Second)
	links := 0
	for _, p := range n.peers {
		links += len(p.host.Network().Peers())
	}
	require.Less(t, links, len(n.peers)*(len(n.peers)-1), "of a full mesh")
	n.requireView(n.peers...)
	return n
}

// TestNewcomerLearnsRecords: a peer meets members that it is not connected to, and that have shown their records long ago.
func TestNewcomerLearnsRecords(t *testing.T) {
	t.Setenv("WEFT_SEED", gridSeed)
	synctest.Test(t, func(t *testing.T) {
		n := sparse(t)
		late := n.add(n.orgs[1], 7)
		late.options = []weft.Option{weft.WithFullMesh(2)}
		late.start()
		time.Sleep(meeting)
		n.requireView(n.peers...)
		require.Less(t, len(late.host.Network().Peers()), len(n.peers)-1)
	})
}

// TestRestartedPeerLearnsRecords: a peer that was away for less time than anybody noticed has forgotten all records.
func TestRestartedPeerLearnsRecords(t *testing.T) {
	for name, number := range map[string]int{"first of its organization": 4, "any": 6} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("WEFT_SEED", gridSeed)
			synctest.Test(t, func(t *testing.T) {
				n := sparse(t)
				p := n.peers[number]
				p.stop()
				time.Sleep(time.Second)
				if number == 4 {
					p.start(weft.AsLeader())
				} else {
					p.start()
				}
				time.Sleep(meeting)
				n.requireView(n.peers...)
			})
		})
	}
}

// TestRenewalWhileCutOff: a peer renews its record where nobody hears it, and is known again as soon as it is heard.
func TestRenewalWhileCutOff(t *testing.T) {
	for name, away := range map[string]time.Duration{"not noticed": 15 * time.Second, "dead": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("WEFT_SEED", gridSeed)
			synctest.Test(t, func(t *testing.T) {
				n := sparse(t)
				p := n.peers[5]
				n.Partition(numbers([]*testPeer{p}))
				local, err := p.node.Local()
				require.NoError(t, err)
				require.NoError(t, p.weft.SetIdentity(t.Context(), local))
				time.Sleep(away)
				n.Heal()
				time.Sleep(10 * time.Second)
				n.requireView(n.peers...)
			})
		})
	}
}

// TestPlainMemberLearnsRecords: a peer without a guard hears of members that it is not connected to when others introduce
// them: also of those that others have known for long, and hear again after a partition.
func TestPlainMemberLearnsRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, wan, 1, 4)
		plain := n.peers[3]
		plain.plain, plain.from = true, []int{1}
		n.peers[0].start(weft.AsLeader())
		n.peers[1].start()
		n.peers[2].start()
		time.Sleep(100 * time.Second)
		n.Partition(numbers([]*testPeer{n.peers[1], plain}))
		plain.start()
		time.Sleep(150 * time.Second)
		n.Heal()
		time.Sleep(2 * time.Minute)
		n.requireView(n.peers...)
	})
}
