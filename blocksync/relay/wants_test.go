// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
)

// TestFanOut: what does not come is asked of its announcer and of others, of as many at one time as it is to be.
func TestFanOut(t *testing.T) {
	for fanOut, most := range map[int]int{0: 12, 1: 2, 3: 3, 20: 12} {
		var members []relay.Member
		for id := range 12 {
			members = append(members, relay.Member{ID: peer.ID('a' + rune(id)), Org: "org", Connected: true, RTT: 50 * time.Millisecond})
		}
		p, b := play(t, members...), newBlock(1, 1_000_000, "a")
		p.FanOut = fanOut
		p.Announced(p.now, b.Announcement)
		together := 0
		for range 300 {
			p.pass(10 * time.Millisecond)
			asked := 0
			for _, m := range members {
				for _, f := range p.sent(m.ID) {
					if f.Kind == relay.Want {
						asked++
					}
				}
			}
			together = max(together, asked)
		}
		require.Equal(t, most, together, "with %d", fanOut)
	}
}

func TestReceiverTurnsToAnotherAnnouncer(t *testing.T) {
	p, b := play(t), newBlock(1, 100_000, "a")
	p.Announced(p.now, b.Announcement)
	second := b.Announcement
	second.From = "b"
	p.Announced(p.now, second)
	p.Receive(p.now, "a", b.piece(relay.Final, 0, 4))
	asked := map[peer.ID]time.Duration{}
	for start := p.now; len(asked) < 2 && p.now.Sub(start) < 3*time.Second; {
		p.pass(10 * time.Millisecond)
		for _, id := range []peer.ID{"a", "b"} {
			for _, f := range p.sent(id) {
				if _, before := asked[id]; f.Kind == relay.Want && !before {
					asked[id] = p.now.Sub(start)
				}
			}
		}
	}
	require.Len(t, asked, 2)
	require.Less(t, asked["a"], 300*time.Millisecond)
	require.Less(t, asked["b"]-asked["a"], 600*time.Millisecond)
	p.pass(2 * time.Second)
	lost := p.Take().GiveUp
	require.Equal(t, []relay.Lost{{Number: 1, Announcers: []peer.ID{"a", "b"}}}, lost, "and at last ranges are asked for, once")
	require.False(t, p.Coming(1))
}

// TestWhoeverComplainsGetsBoundedCopies: a source and who lends send an identity each piece four times, whichever of its host
// keys ask for it.
func TestWhoeverComplainsGetsBoundedCopies(t *testing.T) {
	twins := []peer.ID{"t1", "t2", "t3", "t4"}
	members := []relay.Member{}
	for _, id := range []peer.ID{"a", "b", "c", "d", "e"} {
		members = append(members, relay.Member{ID: id, Org: "org", Connected: true, RTT: 50 * time.Millisecond})
	}
	for _, id := range twins {
		members = append(members, relay.Member{ID: id, Org: "org", Identity: "twins", Connected: true, RTT: 50 * time.Millisecond})
	}
	for name, c := range map[string]struct {
		who    []peer.ID
		source bool
	}{
		"one of the source":                 {[]peer.ID{"a"}, true},
		"one of another":                    {[]peer.ID{"a"}, false},
		"host keys of an identity":          {twins, true},
		"host keys of an identity, another": {twins, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, b := play(t, members...), newBlock(1, 100_000, "me")
			if c.source {
				p.Publish(p.now, b.Announcement, b.body, b.tree)
			} else {
				b = newBlock(1, 100_000, "b")
				p.Announced(p.now, b.Announcement)
				for i := range b.tree.Count() {
					p.Receive(p.now, "b", b.piece(relay.Final, i, 1))
				}
			}
			for _, m := range members {
				p.sent(m.ID)
			}
			bytes := 0
			for range 1000 {
				for _, id := range c.who {
					p.Receive(p.now, id, b.lacksAll())
				}
				p.pass(10 * time.Millisecond)
				for _, m := range members {
					for _, f := range p.sent(m.ID) {
						if f.Kind == relay.Piece {
							bytes += len(f.Data)
						}
					}
				}
			}
			require.Positive(t, bytes)
			require.LessOrEqual(t, bytes, 4*b.Size)
			for _, id := range []peer.ID{"b", "c", "d", "e"} {
				require.EqualValues(t, 1, p.Weight(id), "one that complains of everything blames nobody")
			}
		})
	}
}

// TestHostKeysOfOneIdentityHaveOneVote: complaints of many host keys count once, so that no certificate blames a relay.
func TestHostKeysOfOneIdentityHaveOneVote(t *testing.T) {
	var members []relay.Member
	for _, id := range []peer.ID{"a", "b", "c", "d", "e"} {
		members = append(members, relay.Member{ID: id, Org: string(id), Connected: true, RTT: 50 * time.Millisecond})
	}
	for i := range 8 {
		members = append(members, relay.Member{ID: peer.ID(fmt.Sprint("x", i)), Identity: "x", Org: "evil", Connected: true, RTT: 50 * time.Millisecond})
	}
	p, b := play(t, members...), newBlock(1, 1_000_000, "me")
	p.Publish(p.now, b.Announcement, b.body, b.tree)
	lacks := map[int]bool{} // what a is to relay
	for _, m := range members {
		for _, f := range p.sent(m.ID) {
			if f.Kind == relay.Piece && m.ID == "a" {
				lacks[f.First] = true
			}
		}
	}
	want := &relay.Frame{Kind: relay.Want, Ref: b.Ref(), Missing: relay.NewBitmap(b.tree.Count()), Have: relay.NewBitmap(b.tree.Count())}
	for i := range lacks {
		want.Missing.Set(i)
	}
	for _, m := range members[5:] {
		p.Receive(p.now, m.ID, want)
	}
	p.pass(5 * time.Second)
	require.EqualValues(t, 1, p.Weight("a"))
}
