// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/relaysim"
)

// shown plays a relay that a sent a block of so many leaves, in turns over b and the other givers.
func shown(t *testing.T, leaves int, givers ...peer.ID) *player {
	p, b := play(t), newBlock(1, leaves<<10, "a")
	p.Announced(p.now, b.Announcement)
	for i := range leaves {
		p.Receive(p.now, givers[i%len(givers)], b.piece(relay.Final, i, 1))
	}
	require.Len(t, p.Take().Complete, 1)
	for _, id := range []peer.ID{"a", "b", "c", "d", "e"} {
		p.sent(id)
	}
	return p
}

// TestWhoOnlyTakesIsServedLast: where more than an eighth of the members have relayed nothing of a block that was long enough.
func TestWhoOnlyTakesIsServedLast(t *testing.T) {
	for name, c := range map[string]struct {
		leaves int
		givers []peer.ID
		last   bool
	}{
		"all but one relay":         {20, []peer.ID{"b", "c", "d"}, true},
		"all do":                    {20, []peer.ID{"b", "c", "d", "e"}, false},
		"less than half do":         {20, []peer.ID{"b", "c"}, false},
		"there was little to relay": {9, []peer.ID{"b", "c", "d"}, false},
		"there was just enough":     {10, []peer.ID{"b", "c", "d"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			p, b := shown(t, c.leaves, c.givers...), newBlock(2, 20<<10, "a")
			p.Announced(p.now, b.Announcement)
			p.Receive(p.now, "a", b.piece(relay.Relay, 0, 1))
			for _, id := range []peer.ID{"b", "c", "d"} {
				require.Equal(t, 1, p.pieces(id), id)
			}
			if !c.last {
				require.Equal(t, 1, p.pieces("e"))
				return
			}
			require.Zero(t, p.pieces("e"))
			p.pass(50 * time.Millisecond)
			require.Zero(t, p.pieces("e"))
			p.pass(10 * time.Millisecond) // more than half of two round trips and 1 ms
			require.Equal(t, 1, p.pieces("e"))
			p.Receive(p.now, "a", b.piece(relay.Relay, 1, 1))
			require.Equal(t, 1, p.pieces("e"), "it is late enough")
			p.pass(time.Minute)
			require.Zero(t, p.pieces("e"), "once")
		})
	}
}

// TestWhoOnlyTakesNeedNotWait once the block is here, or known in another way; and who has it, or is told to get it from others, gets
// nothing.
func TestWhoOnlyTakesNeedNotWait(t *testing.T) {
	whole := func(p *player, b *blockOf) {
		for i := range b.tree.Count() {
			p.Receive(p.now, "b", b.piece(relay.Final, i, 1))
		}
	}
	all := relay.NewBitmap(20)
	all.Set(0)
	for name, c := range map[string]struct {
		then func(p *player, b *blockOf)
		gets int
	}{
		"the block is here":     {whole, 1},
		"it came in other ways": {func(p *player, _ *blockOf) { p.Committed(p.now, 3); p.pass(10 * time.Millisecond) }, 1},
		"it has the block": {func(p *player, b *blockOf) {
			p.Receive(p.now, "e", &relay.Frame{Kind: relay.Done, Ref: b.Ref()})
			p.pass(time.Second)
		}, 0},
		"it is to get it from b": {func(p *player, b *blockOf) {
			p.Receive(p.now, "a", &relay.Frame{Kind: relay.Cancel, Ref: b.Ref(), Missing: all, Targets: []relay.Short{relay.ShortOf("e")}})
			p.pass(time.Second)
		}, 0},
		"the body is false": {func(p *player, b *blockOf) { p.Refute(p.now, b.Announcement); p.pass(time.Second) }, 0},
		"it relays again": {func(p *player, b *blockOf) {
			for i, id := range []peer.ID{"c", "d", "e"} {
				p.Receive(p.now, id, b.piece(relay.Final, i, 1))
			}
			whole(p, b)
			next := newBlock(3, 20<<10, "a")
			p.Announced(p.now, next.Announcement)
			p.Receive(p.now, "a", next.piece(relay.Relay, 0, 1))
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			p, b := shown(t, 20, "b", "c", "d"), newBlock(2, 20<<10, "a")
			p.Announced(p.now, b.Announcement)
			p.Receive(p.now, "a", b.piece(relay.Relay, 0, 1))
			require.Zero(t, p.pieces("e"))
			c.then(p, b)
			require.Equal(t, c.gets, p.pieces("e"))
		})
	}
}

// TestTakersCostOthersLittle: a third of the members take all and relay nothing. If they were served like all, the others would have
// 1 MB after 213 ms; nor do they themselves wait for long.
func TestTakersCostOthersLittle(t *testing.T) {
	const peers = 50
	lazy := pick(rand.New(rand.NewPCG(3, 3)), peers/3, peers)
	s := relaysim.New(relaysim.Config{Peers: peers, Seed: 1, Send: func(from, _ int, f *relay.Frame) []*relay.Frame {
		if lazy[from] && f.Kind == relay.Piece {
			return nil
		}
		return []*relay.Frame{f}
	}})
	for k := range 4 {
		b := s.Block(uint64(k+1), 1<<20)
		s.Publish(0, b)
		s.Run(2 * time.Second)
		if k < 2 {
			continue
		}
		require.Zero(t, s.Result(b, everybody).Missing)
		require.Less(t, s.Result(b, func(i int) bool { return !lazy[i] }).All, 200*time.Millisecond)
		require.Less(t, s.Result(b, everybody).All, 250*time.Millisecond)
	}
}
