// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
)

// TestTopicIsForWhoIsNotReached: an announcement goes to the topic at once if the view has a member that we do not reach, a
// while later if one that we do has not reported the block, and else not at all.
func TestTopicIsForWhoIsNotReached(t *testing.T) {
	member := func(id peer.ID) relay.Member {
		return relay.Member{ID: id, Org: "org", Connected: true, RTT: 50 * time.Millisecond}
	}
	away, hidden := member("c"), member("c")
	away.Connected = false
	hidden.Hidden, hidden.Org = true, "other"
	for name, c := range map[string]struct {
		third   relay.Member
		reports []peer.ID
		at      int // 0: at once; 1: when it is overdue; -1: never
	}{
		"everybody reports":          {member("c"), []peer.ID{"a", "b", "c"}, -1},
		"one does not":               {member("c"), []peer.ID{"a", "c"}, 1},
		"one is not connected":       {away, []peer.ID{"a", "b"}, 0},
		"one is hidden from us":      {hidden, []peer.ID{"a", "b"}, 0},
		"one reports twice, one not": {member("c"), []peer.ID{"a", "a", "c"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			p, b := play(t, member("a"), member("b"), c.third), newBlock(1, 100_000, "me")
			p.Publish(p.now, b.Announcement, b.body, b.tree)
			published := func() int { return len(p.Take().Announce) }
			if c.at == 0 {
				require.Equal(t, 1, published())
			}
			for _, id := range c.reports {
				p.Receive(p.now, id, &relay.Frame{Kind: relay.Done, Ref: b.Ref(), Missing: relay.NewBitmap(b.tree.Count())})
			}
			p.pass(250 * time.Millisecond)
			require.Zero(t, published(), "not before it is overdue")
			p.pass(time.Second)
			if c.at > 0 {
				require.Equal(t, 1, published())
			} else {
				require.Zero(t, published())
			}
		})
	}
}
