// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/leader"
)

// TestLeaderCrashesAndReturns: while its leader is gone, an organization gets its blocks from the other organizations'
// leaders; the leader goes on from its own ledger's height.
func TestLeaderCrashesAndReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 2, 3)
		n.startAll()
		n.order(10, 4<<10, 50*time.Millisecond)
		n.requireAll(time.Second, n.peers...)

		crashed, rest := n.peers[3], []*testPeer{n.peers[0], n.peers[1], n.peers[2], n.peers[4], n.peers[5]}
		n.Cut(crashed.number)
		n.order(10, 4<<10, 50*time.Millisecond) // nobody knows yet
		n.requireAll(2*time.Second, rest...)
		crashed.crash()
		n.order(10, 30<<10, 50*time.Millisecond)
		n.requireAll(time.Second, rest...)

		time.Sleep(time.Minute)
		n.order(10, 30<<10, 50*time.Millisecond)
		n.requireAll(time.Second, rest...)
		n.requireMembers(rest...)

		before := n.orderer.Height()
		crashed.restart(weft.AsLeader())
		require.GreaterOrEqual(t, crashed.channel.Height(), uint64(11), "height out of its own ledger")
		took := n.requireAll(5*time.Second, crashed)
		t.Logf("the leader had %d blocks again %s after its start", before, took)
		time.Sleep(meeting)
		n.order(10, 4<<10, 50*time.Millisecond)
		n.requireAll(time.Second, n.peers...)
		n.requireView(n.peers...)
	})
}

// TestPartitionHeals: minutes without a path between two halves, the ordering service on one side. Its side goes on; the
// other keeps what it has. What then limits the return is the connection keeper, which tries lost members every 10 s at most
// and addresses every 25 s. Either end dials.
func TestPartitionHeals(t *testing.T) {
	for _, c := range []struct {
		name  string
		there []int
		pause time.Duration // between the blocks that are ordered meanwhile
	}{
		{"with a leader on the far side", []int{2, 3, 4, 5}, 6 * time.Second},
		{"without a leader on the far side", []int{1, 4, 5}, 6 * time.Second},
		{"when both sides have forgotten each other", []int{1, 4, 5}, 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNet(t, wan, 2, 3)
				n.startAll()
				n.order(5, 4<<10, 50*time.Millisecond)
				n.requireAll(time.Second, n.peers...)
				n.partition(c.there, c.pause)
				n.heal()
				n.order(5, 4<<10, 50*time.Millisecond)
				n.requireAll(time.Second, n.peers...)
				n.requireView(n.peers...)
			})
		})
	}
}

// partition takes the given peers away while 20 blocks are ordered.
func (n *testNet) partition(away []int, pause time.Duration) {
	var here, there []*testPeer
	for _, p := range n.peers {
		if slices.Contains(away, p.number) {
			there = append(there, p)
		} else {
			here = append(here, p)
		}
	}
	height := n.orderer.Height()
	n.split(there...)
	n.order(20, 4<<10, pause)
	n.requireAll(time.Second, here...)
	n.requireMembers(here...)
	for _, p := range there {
		n.requireChain(p, height)
		require.Equal(n.t, height, p.channel.Height())
	}
}

// heal ends the partition and requires that all are complete and connected to each other in time.
func (n *testNet) heal() {
	n.unite()
	start := time.Now()
	n.await(5*time.Minute, n.peers...)
	complete := time.Since(start)
	for !meshed(n.peers) && time.Since(start) < 5*time.Minute {
		time.Sleep(100 * time.Millisecond)
	}
	connected := time.Since(start)
	n.t.Logf("after the partition everybody was complete in %s, and connected to everybody in %s", complete, connected)
	require.Less(n.t, complete, 15*time.Second)
	require.Less(n.t, connected, 20*time.Second, "%s", n.links())
}

// links says who is not connected to whom, and what is known of them.
func (n *testNet) links() string {
	var text strings.Builder
	for _, p := range n.peers {
		for _, o := range n.peers {
			if o != p && p.host.Network().Connectedness(o.host.ID()) != network.Connected {
				info, err := p.weft.FindPeer(context.Background(), o.host.ID())
				fmt.Fprintf(&text, "peer %d is not connected to %d, knows %v %v\n", p.number, o.number, info.Addrs, err)
			}
		}
	}
	return text.String()
}

// meshed says whether everybody is connected to everybody.
func meshed(peers []*testPeer) bool {
	for _, p := range peers {
		if len(p.host.Network().Peers()) < len(peers)-1 {
			return false
		}
	}
	return true
}

// TestOrderingServiceFails: leaders come back to an ordering service that was suspended, and to one that was killed and
// started anew.
func TestOrderingServiceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 2, 2)
		n.startAll()
		n.order(5, 4<<10, 50*time.Millisecond)
		n.requireAll(time.Second, n.peers...)

		n.orderer.Suspend(true)
		time.Sleep(time.Minute)
		require.Equal(t, leader.Failing, n.peers[0].channel.Status().Source.State)
		n.orderer.Suspend(false)
		n.order(5, 4<<10, 50*time.Millisecond)
		t.Logf("complete %s after the ordering service was back from a minute's suspension", n.requireAll(2*time.Minute, n.peers...))

		n.kill()
		time.Sleep(time.Minute)
		require.Equal(t, leader.Failing, n.peers[0].channel.Status().Source.State)
		n.serve()
		n.order(5, 4<<10, 50*time.Millisecond)
		t.Logf("complete %s after the ordering service was back from a minute's death", n.requireAll(2*time.Minute, n.peers...))
		n.requireView(n.peers...)
	})
}
