// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
)

// thanks takes out what waits for a member, and counts how often it is told that a block is here, without a report.
func (p *player) thanks(to peer.ID) (n int) {
	for _, f := range p.sent(to) {
		if f.Kind == relay.Done && len(f.Missing) == 0 {
			n++
		}
	}
	return n
}

// TestWhoSendsWhatIsHereIsTold: once, and only who need not send it.
func TestWhoSendsWhatIsHereIsTold(t *testing.T) {
	whole := func(p *player, b *blockOf) {
		p.Announced(p.now, b.Announcement)
		for i := range b.tree.Count() {
			p.Receive(p.now, "b", b.piece(relay.Final, i, 1))
		}
		require.Len(t, p.Take().Complete, 1)
	}
	for name, c := range map[string]struct {
		before func(*player, *blockOf)
		mode   relay.Mode
		pass   []relay.Short // who is to get it from us
		want   int
	}{
		"whole":                     {whole, relay.Final, nil, 1},
		"whole, but others want it": {whole, relay.Final, []relay.Short{relay.ShortOf("d")}, 0},
		"whole, and it is a probe":  {whole, relay.Probed, nil, 0},
		"not whole":                 {func(p *player, b *blockOf) { p.Announced(p.now, b.Announcement) }, relay.Final, nil, 0},
		"committed": {func(p *player, b *blockOf) {
			p.Announced(p.now, b.Announcement)
			p.Committed(p.now, b.Number+1)
		}, relay.Final, nil, 1},
		"it shows a leader that the block spreads": {func(p *player, b *blockOf) {
			p.Announced(p.now, b.Announcement)
			p.Offer(p.now, b.Announcement, b.body, b.tree)
		}, relay.Final, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, b := play(t), newBlock(1, 100_000, "a")
			c.before(p, b)
			require.Zero(t, p.thanks("c"))
			p.Receive(p.now, "c", b.piece(c.mode, 4, 1, c.pass...))
			p.Receive(p.now, "c", b.piece(c.mode, 5, 1, c.pass...))
			require.Equal(t, c.want, p.thanks("c"))
			require.Zero(t, p.thanks("d"), "it has sent nothing")
		})
	}
}

// TestWhatIsThereIsTakenBack: what waits of a block for who has it leaves no more, so that the next one need not wait behind it.
func TestWhatIsThereIsTakenBack(t *testing.T) {
	p, first, next := play(t), newBlock(1, 100_000, "a"), newBlock(2, 100_000, "a")
	for _, b := range []*blockOf{first, next} {
		p.Announced(p.now, b.Announcement)
		p.Receive(p.now, "a", b.piece(relay.Relay, 4, 4))
		p.Receive(p.now, "a", b.piece(relay.Relay, 12, 4))
	}
	p.Receive(p.now, "b", &relay.Frame{Kind: relay.Done, Ref: first.Ref()})
	var left []relay.Ref
	for _, f := range p.sent("b") {
		left = append(left, f.Ref)
	}
	require.Equal(t, []relay.Ref{next.Ref(), next.Ref()}, left)
	require.Equal(t, 4, p.pieces("c"), "it has said nothing")
}

// TestRelaysKeepTheirPart: who has a block is to forward its part of it all the same.
func TestRelaysKeepTheirPart(t *testing.T) {
	parts := map[bool]int{}
	for _, done := range []bool{false, true} {
		p, b := play(t), newBlock(1, 1_000_000, "me")
		p.Publish(p.now, b.Announcement, b.body, b.tree)
		if done {
			p.Receive(p.now, "b", &relay.Frame{Kind: relay.Done, Ref: b.Ref()})
		}
		parts[done] = p.pieces("b")
	}
	require.Equal(t, parts[false], parts[true])
}

// TestWhatOthersGetFromItIsLeft: who has a block passes pieces of it on to a member that their relay cannot reach.
func TestWhatOthersGetFromItIsLeft(t *testing.T) {
	p := play(t, relay.Member{ID: "a", Org: "org", Connected: true}, relay.Member{ID: "b", Org: "org", Connected: true}, relay.Member{ID: "e", Org: "org"})
	b := newBlock(1, 100_000, "a")
	p.Announced(p.now, b.Announcement)
	p.Receive(p.now, "a", b.piece(relay.Relay, 4, 4))
	p.Receive(p.now, "b", &relay.Frame{Kind: relay.Done, Ref: b.Ref()})
	require.Equal(t, 1, p.pieces("b"))
}
