// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/relaysim"
)

// declines are the leaves that a member is asked not to send, taken out.
func (p *player) declines(to peer.ID) (all []relay.Bitmap) {
	for _, f := range p.sent(to) {
		if f.Kind == relay.Cancel && len(f.Targets) == 0 {
			all = append(all, f.Missing)
		}
	}
	return all
}

// TestWhoStandsByDeclinesMost: once it has the block, and another has announced it, in whatever order.
func TestWhoStandsByDeclinesMost(t *testing.T) {
	announced := func(p *player, b *blockOf) { p.Announced(p.now, b.Announcement) }
	offered := func(p *player, b *blockOf) { p.Offer(p.now, b.Announcement, b.body, b.tree) }
	leader := func(id peer.ID) relay.Member {
		return relay.Member{ID: id, Org: "org" + string(id), Connected: true, RTT: 50 * time.Millisecond, Leader: true}
	}
	several := []relay.Member{leader("a"), leader("b"), leader("c"), leader("d"), leader("e")}
	for name, c := range map[string]struct {
		size     int
		members  []relay.Member
		steps    []func(*player, *blockOf)
		declined bool
	}{
		"announced, then here":          {1_000_000, several, []func(*player, *blockOf){announced, offered}, true},
		"here, then announced":          {1_000_000, several, []func(*player, *blockOf){offered, announced}, true},
		"here, and nobody announces it": {1_000_000, several, []func(*player, *blockOf){offered}, false},
		"not here":                      {1_000_000, several, []func(*player, *blockOf){announced}, false},
		"sent to everybody directly":    {relay.DirectBytes / 6, several, []func(*player, *blockOf){announced, offered}, false},
		"its hidden members need it":    {1_000_000, append(several[:4:4], relay.Member{ID: "e", Org: "org", Connected: true, Hidden: true}), []func(*player, *blockOf){announced, offered}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, b := play(t, c.members...), newBlock(1, c.size, "a")
			for range 2 { // twice: nothing is said again
				for _, step := range c.steps {
					step(p, b)
				}
			}
			require.Empty(t, p.declines("a"), "who announces it sends no more than its relays' parts")
			if !c.declined {
				require.Empty(t, p.declines("b"))
				return
			}
			for _, id := range []peer.ID{"b", "c", "d", "e"} {
				got := p.declines(id)
				require.Len(t, got, 1)
				n := b.tree.Count()
				require.InDelta(t, 0.85, float64(got[0].Count())/float64(n), 0.05)
				require.False(t, got[0].Has(n-1), "a source that stops leaves out the end")
			}
		})
	}
}

// TestWhoStandsByIsContentWithWhatItWatches: it announces nothing when all of that has come, and does when some does not.
func TestWhoStandsByIsContentWithWhatItWatches(t *testing.T) {
	for _, all := range []bool{true, false} {
		p, b := play(t), newBlock(1, 1_000_000, "a")
		p.Announced(p.now, b.Announcement)
		p.Offer(p.now, b.Announcement, b.body, b.tree)
		left := p.declines("b")[0]
		for i := range b.tree.Count() {
			if !left.Has(i) && (all || i < b.tree.Count()-1) {
				p.Receive(p.now, "c", b.piece(relay.Final, i, 1))
			}
		}
		p.pass(2 * time.Second)
		require.Equal(t, !all, p.Announces(b.Ref()))
	}
}

// TestWhatIsDeclinedIsNotSent, be it queued or come later, but what others are to get from who declines it, and what it asks for.
func TestWhatIsDeclinedIsNotSent(t *testing.T) {
	p, b := play(t), newBlock(1, 100_000, "a")
	p.Announced(p.now, b.Announcement)
	p.Receive(p.now, "a", b.piece(relay.Relay, 4, 4))
	p.Receive(p.now, "a", b.piece(relay.Relay, 12, 4))
	decline := &relay.Frame{Kind: relay.Cancel, Ref: b.Ref(), Missing: relay.NewBitmap(b.tree.Count())}
	for i := range 10 {
		decline.Missing.Set(i)
	}
	p.Receive(p.now, "b", decline)
	p.Receive(p.now, "a", b.piece(relay.Relay, 0, 4))
	p.Receive(p.now, "a", b.piece(relay.Relay, 8, 4))
	var firsts []int
	for _, f := range p.sent("b") {
		firsts = append(firsts, f.First)
	}
	require.Equal(t, []int{12, 8}, firsts, "what is declined in part goes whole")
	require.Equal(t, 4, p.pieces("c"), "nobody speaks for others")

	p.pass(time.Second)
	p.Receive(p.now, "b", &relay.Frame{Kind: relay.Want, Ref: b.Ref(), Missing: decline.Missing, Have: relay.NewBitmap(b.tree.Count())})
	p.pass(100 * time.Millisecond)
	got := 0
	for _, f := range p.sent("b") {
		got += f.Count
	}
	require.Equal(t, 10, got, "it has thought better of it")
}

// TestWhoDeclinesGetsNoParity, since it has the block; nor what it declines as one of an organization whose hidden members have it.
func TestWhoDeclinesGetsNoParity(t *testing.T) {
	s := newShielded(t, 1, 100_000)
	decline := &relay.Frame{Kind: relay.Cancel, Ref: s.Ref(), Missing: relay.NewBitmap(s.tree.Count())}
	for _, early := range []bool{true, false} {
		p := play(t)
		require.True(t, p.Announced(p.now, s.Announcement))
		if early {
			p.Receive(p.now, "b", decline)
		}
		p.Receive(p.now, "a", s.extra(relay.Relay, 0, 2))
		if !early {
			p.Receive(p.now, "b", decline)
		}
		require.Zero(t, p.pieces("b"))
		require.Equal(t, 1, p.pieces("c"))
	}

	p := &player{t, relay.New(relay.Config{Self: "me", Org: "org", Hidden: true, Rand: rand.New(rand.NewPCG(1, 2))}), time.Unix(1000, 0)}
	p.Members(p.now, []relay.Member{{ID: "a", Org: "other", Connected: true}, {ID: "visible", Org: "org", Connected: true}})
	b := newBlock(1, 100_000, "a")
	p.Announced(p.now, b.Announcement)
	decline = &relay.Frame{Kind: relay.Cancel, Ref: b.Ref(), Missing: relay.NewBitmap(b.tree.Count())}
	decline.Missing.Set(4)
	p.Receive(p.now, "visible", decline)
	p.Receive(p.now, "a", b.piece(relay.IntoOrg, 4, 1))
	require.Zero(t, p.pieces("visible"))
	p.Receive(p.now, "a", b.piece(relay.IntoOrg, 5, 1))
	require.Equal(t, 1, p.pieces("visible"))
}

// TestDecliningIsBounded: of a bitmap no more is kept than there are leaves, and leaves that do not exist are nobody's.
func TestDecliningIsBounded(t *testing.T) {
	p, b := play(t), newBlock(1, 100_000, "a")
	p.Announced(p.now, b.Announcement)
	huge := make(relay.Bitmap, relay.MaxWords)
	for i := range huge {
		huge[i] = math.MaxUint64
	}
	for _, missing := range []relay.Bitmap{nil, {}, huge} {
		p.Receive(p.now, "b", &relay.Frame{Kind: relay.Cancel, Ref: b.Ref(), Missing: missing})
	}
	p.Receive(p.now, "a", b.piece(relay.Relay, 4, 4))
	require.Zero(t, p.pieces("b"))
	require.Equal(t, 1, p.pieces("c"))
}

// TestManyLeadersCostLittle: where four members in ten have the block already, they are not sent it all the same. What they got before
// they could decline it, and what they watch, is less than half of it.
func TestManyLeadersCostLittle(t *testing.T) {
	const peers, leaders, size = 50, 20, 1 << 20
	s := relaysim.New(relaysim.Config{Peers: peers, Seed: 4, Leader: func(i int) bool { return i < leaders }, Judge: 2 * time.Millisecond, Topic: 100 * time.Millisecond})
	for k := range 3 {
		before := total(s).Received
		b := s.Block(uint64(k+1), size)
		for i := range leaders {
			s.Offer(i, b)
		}
		s.Run(2 * time.Second)
		r := s.Result(b, everybody)
		require.Zero(t, r.Missing)
		require.Less(t, r.All, 180*time.Millisecond)
		require.LessOrEqual(t, total(s).Received-before, int64((peers-leaders+leaders/2)*size))
		announced := 0
		for _, p := range s.Peers {
			if p.Announces(b.Ref()) {
				announced++
			}
		}
		require.Equal(t, 1, announced, "the others saw that it spreads")
	}
}
