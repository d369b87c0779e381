// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/leader"
)

// elected is the option of a peer that takes part in the election, with Fabric's timing.
func elected() weft.JoinOption { return weft.WithElection(leader.Timing{}) }

// leaders are the running peers that lead.
func (n *testNet) leaders() (leading []*testPeer) {
	for _, p := range n.peers {
		if p.channel != nil && p.channel.Status().Leads {
			leading = append(leading, p)
		}
	}
	return leading
}

// awaitLeader waits until exactly one running peer of an organization leads, and returns it with how long that took.
func (n *testNet) awaitLeader(within time.Duration) (*testPeer, time.Duration) {
	n.t.Helper()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if leading := n.leaders(); len(leading) == 1 {
			return leading[0], time.Since(start)
		}
		require.Less(n.t, time.Since(start), within, "%d leaders", len(n.leaders()))
	}
}

// TestElection: the members of an organization elect one of them; when it dies another one takes over, and no block is lost.
// The end of its connections is believed after half a second, in which they might come back. A leader that falls silent is
// believed to be there for three and a half of its beats, and then comes the settling of the view.
func TestElection(t *testing.T) {
	const ended, silent = time.Second, 5 * time.Second
	for name, c := range map[string]struct {
		kill   func(*testPeer)
		within time.Duration
	}{
		"dies silently":        {(*testPeer).crash, silent},
		"stops in good order":  {(*testPeer).stop, ended},
		"loses its connection": {func(p *testPeer) { p.net.split(p) }, silent},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNet(t, lan, 1, 4)
				for _, p := range n.peers {
					p.start(elected())
				}
				first, took := n.awaitLeader(5 * time.Second)
				t.Logf("first leader after %s", took)
				time.Sleep(time.Minute)
				require.Equal(t, []*testPeer{first}, n.leaders(), "and it stays")
				n.order(5, 2<<10, 100*time.Millisecond)
				n.requireAll(time.Second, n.peers...)
				for _, p := range n.peers {
					id, known := p.channel.Leader()
					require.True(t, known)
					require.Equal(t, first.host.ID(), id)
				}

				c.kill(first)
				var rest []*testPeer
				for _, p := range n.peers {
					if p != first {
						rest = append(rest, p)
					}
				}
				start := time.Now()
				for second := first; second == first; {
					time.Sleep(10 * time.Millisecond)
					require.Less(t, time.Since(start), c.within, "nobody takes over")
					for _, p := range rest {
						if p.channel.Status().Leads {
							second = p
						}
					}
				}
				t.Logf("the next leader after %s", time.Since(start))
				n.order(5, 2<<10, 100*time.Millisecond)
				n.requireAll(time.Second, rest...)
			})
		})
	}
}

// TestLeaderThatCannotPullHandsOver: the leader loses the ordering service and nothing else; another member takes over.
func TestLeaderThatCannotPullHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 1, 3)
		for _, p := range n.peers {
			p.start(elected())
		}
		first, _ := n.awaitLeader(5 * time.Second)
		n.order(3, 2<<10, 100*time.Millisecond)
		n.requireAll(time.Second, n.peers...)

		n.cutOff(first.number) // from the ordering service alone
		start := time.Now()
		for leading := n.leaders(); len(leading) != 1 || leading[0] == first; leading = n.leaders() {
			time.Sleep(10 * time.Millisecond)
			require.Less(t, time.Since(start), 30*time.Second, "nobody takes over")
		}
		t.Logf("another one leads after %s", time.Since(start))
		n.order(3, 2<<10, 100*time.Millisecond)
		n.requireAll(2*time.Second, n.peers...)
	})
}
