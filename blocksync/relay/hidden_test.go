// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/relaysim"
)

// TestGuestsAreServedOnce: hidden members connect to the visible ones of other organizations, and get each block once all the same:
// from one of their own. The source sends it once, too, and its own hidden members have it from others.
func TestGuestsAreServedOnce(t *testing.T) {
	const orgs, members, size = 10, 4, 1 << 20
	own := func(i int) bool { return i < members }
	for name, c := range map[string]struct {
		visible, source int
		leads           bool                // a visible member of each organization has the block from the ordering service
		sees            func(a, b int) bool // nil: hidden members are connected to all visible ones
		first, later    time.Duration
		copies, sent    float64 // of a body: received by each peer, sent by the source
	}{
		"one visible":         {visible: 1, first: 300 * time.Millisecond, later: 250 * time.Millisecond, copies: 1.06, sent: 1.8},
		"two visible":         {visible: 2, first: 320 * time.Millisecond, later: 260 * time.Millisecond, copies: 1.06, sent: 1.8},
		"all leaders have it": {visible: 1, leads: true, first: 300 * time.Millisecond, later: 250 * time.Millisecond, copies: 1.05, sent: 1.8},
		"hidden source":       {visible: 1, source: 3, first: 300 * time.Millisecond, later: 250 * time.Millisecond, copies: 1.06, sent: 1.8},
		// The first block shows that its hidden members get nothing over others.
		"hidden members of the source see nobody else": {
			visible: 1, sees: func(a, b int) bool { return own(a) == own(b) || own(a) == (a == 0) && own(b) == (b == 0) },
			first: 600 * time.Millisecond, later: 260 * time.Millisecond, copies: 1.05, sent: 2.5,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := relaysim.New(relaysim.Config{
				Peers: orgs * members, Seed: 1, Judge: 2 * time.Millisecond, Guests: true, Sees: c.sees,
				Org:    func(i int) string { return fmt.Sprint(i / members) },
				Hidden: func(i int) bool { return i%members >= c.visible },
				Leader: func(i int) bool { return c.leads && i%members == 0 },
			})
			within := c.first
			for number := range uint64(2) {
				b, before := s.Block(number+1, size), s.Peers[c.source].Sent
				if !c.leads {
					s.Publish(c.source, b)
				}
				for i := 0; c.leads && i < orgs*members; i += members {
					s.Offer(i, b)
				}
				s.Run(2 * time.Second)
				r := s.Result(b, everybody)
				require.Zero(t, r.Missing, "block %d", b.Number)
				require.Less(t, r.All, within, "block %d", b.Number)
				require.Less(t, float64(s.Peers[c.source].Sent-before)/size, c.sent, "block %d", b.Number)
				within = c.later
			}
			require.Less(t, float64(s.Payload)/float64(2*(orgs*members-1)*size), c.copies)
		})
	}
}

// TestHiddenMemberSharesOutWhatComesFromOthers: once, and to its own organization alone; whoever asked for it brought something new.
func TestHiddenMemberSharesOutWhatComesFromOthers(t *testing.T) {
	b := newBlock(1, 100_000, "source")
	p := &player{t, relay.New(relay.Config{Self: "me", Org: "org", Hidden: true, Rand: rand.New(rand.NewPCG(1, 2))}), time.Unix(1000, 0)}
	p.Members(p.now, []relay.Member{
		{ID: "source", Org: "other", Connected: true}, {ID: "other", Org: "other", Connected: true},
		{ID: "visible", Org: "org", Connected: true}, {ID: "hidden", Org: "org", Connected: true, Hidden: true},
	})
	require.True(t, p.Announced(p.now, b.Announcement))
	modes := func(id peer.ID) (modes []relay.Mode) {
		for _, f := range p.sent(id) {
			modes = append(modes, f.Mode)
		}
		return modes
	}
	p.Receive(p.now, "other", b.piece(relay.IntoOrg, 4, 4))
	require.Equal(t, []relay.Mode{relay.Housed}, modes("visible"))
	require.Equal(t, []relay.Mode{relay.Final}, modes("hidden"))
	require.Empty(t, modes("other"))
	require.Empty(t, modes("source"))
	p.Receive(p.now, "source", b.piece(relay.IntoOrg, 4, 4))
	require.Empty(t, modes("visible"))
	require.Empty(t, modes("hidden"))
}

// TestHiddenMemberServesOthersVisibleOnes where it is told to, in place of its own; whom it does not reach gets it over its own.
func TestHiddenMemberServesOthersVisibleOnes(t *testing.T) {
	b := newBlock(1, 100_000, "source")
	p := &player{t, relay.New(relay.Config{Self: "me", Org: "org", Hidden: true, Rand: rand.New(rand.NewPCG(1, 2))}), time.Unix(1000, 0)}
	p.Members(p.now, []relay.Member{
		{ID: "source", Org: "first", Connected: true}, {ID: "other", Org: "other", Connected: true}, {ID: "far", Org: "far"},
		{ID: "visible", Org: "org", Connected: true}, {ID: "hidden", Org: "org", Connected: true, Hidden: true},
	})
	require.True(t, p.Announced(p.now, b.Announcement))
	receive := func(first int, targets ...peer.ID) (got map[peer.ID]*relay.Frame) {
		var names []relay.Short
		for _, id := range targets {
			names = append(names, relay.ShortOf(id))
		}
		p.Receive(p.now, "source", b.piece(relay.IntoOrg, first, 1, names...))
		got = map[peer.ID]*relay.Frame{}
		for _, id := range []peer.ID{"source", "other", "visible", "hidden"} {
			for _, f := range p.sent(id) {
				require.Nil(t, got[id], "twice to %s", id)
				got[id] = f
			}
		}
		return got
	}
	got := receive(4, "other")
	require.Len(t, got, 2)
	require.Equal(t, relay.Housed, got["other"].Mode)
	require.Empty(t, got["other"].Targets)
	require.Equal(t, relay.Final, got["hidden"].Mode)
	require.Empty(t, receive(4, "other"), "once")

	got = receive(5, "other", "far")
	require.Len(t, got, 3)
	require.Equal(t, relay.Housed, got["other"].Mode)
	require.Equal(t, relay.Final, got["visible"].Mode)
	require.Equal(t, []relay.Short{relay.ShortOf("far")}, got["visible"].Targets)

	require.Len(t, receive(6, "who is that?"), 2, "another's view")
	many := make([]peer.ID, 9)
	for i := range many {
		many[i] = "other"
	}
	require.Len(t, receive(7, many...), 1, "more targets than anybody may name: its own hidden ones have it")
}

// TestVisibleMembersAreServedByOthers: a piece that enters organizations by hidden members goes from each to the visible ones of another
// of these, of any, if they are many; but for those whose visible members have sent us nothing.
func TestVisibleMembersAreServedByOthers(t *testing.T) {
	for name, c := range map[string]struct {
		orgs   int
		silent string
		swap   bool
	}{
		"all relay":                     {relay.SwapLeast, "", true},
		"one does not":                  {relay.SwapLeast + 1, "a", true},
		"one does not, and few do":      {relay.SwapLeast, "a", false},
		"there are few organizations":   {relay.SwapLeast - 1, "", false},
		"there are three organizations": {3, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			members := []relay.Member{{ID: "source", Org: "source", Connected: true}}
			visible, hosts := []peer.ID{}, map[relay.Short]string{}
			for i := range c.orgs {
				org := string(rune('a' + i))
				visible = append(visible, peer.ID("visible "+org))
				hosts[relay.ShortOf(visible[i])] = org
				members = append(members, relay.Member{ID: visible[i], Org: org, Connected: true}, relay.Member{ID: peer.ID("guest " + org), Org: org, Connected: true, Guest: true})
			}
			p := play(t, members...)
			first := newBlock(1, 100_000, "source")
			p.Announced(p.now, first.Announcement)
			givers := slices.DeleteFunc(slices.Clone(members[1:]), func(m relay.Member) bool { return m.Org == c.silent && !m.Guest })
			for i := range first.tree.Count() {
				p.Receive(p.now, givers[i%len(givers)].ID, first.piece(relay.Final, i, 1))
			}
			require.Len(t, p.Take().Complete, 1)

			b := newBlock(2, 300_000, "source")
			p.Announced(p.now, b.Announcement)
			serves, direct := map[string]map[string]bool{}, 0
			for i := range b.tree.Count() {
				p.Receive(p.now, "source", b.piece(relay.Relay, i, 1))
				for _, m := range members[1:] {
					for _, f := range p.sent(m.ID) {
						switch {
						case f.Kind != relay.Piece || f.Ref != b.Ref():
						case !m.Guest:
							direct++
						default:
							require.Equal(t, relay.IntoOrg, f.Mode)
							if serves[m.Org] == nil {
								serves[m.Org] = map[string]bool{}
							}
							for _, target := range f.Targets {
								serves[m.Org][hosts[target]] = true
							}
						}
					}
				}
			}
			require.Positive(t, direct, "it is their turn now and then")
			for _, org := range hosts {
				want := 0
				if c.swap && org != c.silent {
					want = relay.SwapLeast - 1 // all others that take part
				}
				require.Len(t, serves[org], want, "whom the guest of %s serves", org)
				require.NotContains(t, serves[org], org, "it would serve its own without being told")
			}
		})
	}
}

// TestNobodyCountsOnWhoIsCatchingUp: a hidden member that cannot judge a block passes nothing on, and is not asked to for a while.
func TestNobodyCountsOnWhoIsCatchingUp(t *testing.T) {
	guests := []relay.Member{
		{ID: "a", Org: "org", Connected: true}, {ID: "host", Org: "other", Connected: true},
		{ID: "guest", Org: "other", Connected: true, Guest: true}, {ID: "late", Org: "other", Connected: true, Guest: true},
	}
	own := []relay.Member{
		{ID: "a", Org: "org", Connected: true}, {ID: "guest", Org: "org", Connected: true, Hidden: true}, {ID: "late", Org: "org", Connected: true, Hidden: true},
	}
	for name, members := range map[string][]relay.Member{"guests": guests, "our own": own} {
		for kind, sign := range map[string]*relay.Frame{"asks for the announcement": {Kind: relay.Want}, "says so": {Kind: relay.Unready}} {
			t.Run(name+" "+kind, func(t *testing.T) {
				p, b := play(t, members...), newBlock(1, 100_000, "a")
				require.True(t, p.Announced(p.now, b.Announcement))
				spread := func(from, to int) (guest, late int) {
					for i := from; i < to; i++ {
						p.Receive(p.now, "a", b.piece(relay.Relay, i, 1))
					}
					return p.pieces("guest"), p.pieces("late")
				}
				guest, late := spread(0, 12)
				require.Positive(t, guest)
				require.Positive(t, late)
				sign.Ref = b.Ref()
				p.Receive(p.now, "late", sign)
				guest, late = spread(12, 24)
				require.Positive(t, guest)
				require.Zero(t, late)
			})
		}
	}
}
