// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
)

// TestDropsAreCounted: each way in which a frame can get lost in a machine, by its reason, and no other.
func TestDropsAreCounted(t *testing.T) {
	forwarding := func(p *player, blocks int) {
		for number := range uint64(blocks) {
			b := newBlock(number+1, 1_000_000, "a")
			p.Announced(p.now, b.Announcement)
			for i := 0; i+4 <= b.tree.Count(); i += 4 {
				p.Receive(p.now, "a", b.piece(relay.Relay, i, 4))
			}
			for _, id := range []peer.ID{"a", "c", "d", "e"} {
				p.sent(id)
			}
		}
	}
	for name, c := range map[string]struct {
		drops func(p *player)
		why   relay.Drop
	}{
		"a peer takes less than comes": {func(p *player) { forwarding(p, 20) }, relay.DropSlow},
		"a peer leaves": {func(p *player) {
			forwarding(p, 1)
			p.Members(p.now, []relay.Member{{ID: "a", Org: "org", Connected: true}})
		}, relay.DropGone},
		"no room for a piece": {func(p *player) {
			for k := range 3000 {
				p.Receive(p.now, "a", newBlock(uint64(k+1), 4096, "a").piece(relay.Relay, 0, 4))
			}
		}, relay.DropFull},
		"a piece of a block that nobody announces": {func(p *player) {
			p.Receive(p.now, "a", newBlock(1, 4096, "a").piece(relay.Relay, 0, 4))
			p.pass(2 * time.Second)
		}, relay.DropLate},
	} {
		t.Run(name, func(t *testing.T) {
			p := play(t)
			c.drops(p)
			got := p.Take().Dropped
			require.Len(t, got, 1)
			require.Positive(t, got[c.why])
		})
	}
}
