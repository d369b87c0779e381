// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/leaves"
	"github.com/weft-p2p/weft/internal/parity"
	"github.com/weft-p2p/weft/internal/simtest"
)

// shielded is a block with parity.
type shielded struct {
	*blockOf
	sum parity.Sum
}

// shield adds parity of a body to a block: its own, unless it is a lie.
func shield(t require.TestingT, b *blockOf, body []byte, shards int) *shielded {
	sum, err := parity.Make(body, shards)
	require.NoError(t, err)
	b.Parity = parity.Sum{Shards: sum.Shards, Root: sum.Root}
	return &shielded{b, sum}
}

func newShielded(t require.TestingT, number uint64, size int) *shielded {
	b := newBlock(number, size, "a")
	return shield(t, b, b.body, parity.Share(size, 10))
}

// extra is a piece of parity.
func (s *shielded) extra(mode relay.Mode, first, count int) *relay.Frame {
	proof, _ := s.sum.Tree.ProveToRoot(nil, first, count)
	size := leaves.Size(s.sum.Size())
	return &relay.Frame{
		Kind: relay.Piece, Ref: relay.GuardRef(s.Ref(), s.sum), Mode: mode, First: first, Count: count, Proof: proof,
		Data: s.sum.Body[first*size : (first+count)*size],
	}
}

// rebuild computes what is to be computed.
func (p *player) rebuild() (e relay.Effects) {
	for e = p.Take(); len(e.Rebuild) > 0; {
		for _, r := range e.Rebuild {
			p.Rebuilt(p.now, r.Run())
		}
		e = p.Take()
	}
	return e
}

// kinds are the frames of a kind that wait for the members.
func (p *player) kinds(kind relay.Kind) (all []*relay.Frame) {
	for _, id := range []peer.ID{"a", "b", "c", "d", "e"} {
		for _, f := range p.sent(id) {
			if f.Kind == kind {
				all = append(all, f)
			}
		}
	}
	return all
}

// Leaves and parity come in any order, some before the announcement, and as much is lost as there is parity for each group:
// the block is whole, and nothing was asked for.
func TestParityMakesUpForWhatIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.IntRange(relay.ParityMin, 400_000).Draw(rt, "size")
		s := newShielded(t, 1, size)
		seed := rapid.Uint64().Draw(rt, "seed")
		before := rapid.IntRange(0, 20).Draw(rt, "before")
		random := rand.New(rand.NewPCG(seed, 0))
		groups := (parity.Shards(size) + s.Parity.Shards + 199) / 200 // no fewer than there are
		lost := random.IntN(s.Parity.Shards/groups + 1)
		var pieces []*relay.Frame
		for _, i := range random.Perm(s.tree.Count())[lost:] {
			pieces = append(pieces, s.piece(relay.Final, i, 1))
		}
		for i := range s.sum.Tree.Count() {
			pieces = append(pieces, s.extra(relay.Final, i, 1))
		}
		random.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })

		p, memory := play(t), &purse{4 * size}
		p.Memory = memory
		var whole []relay.Complete
		for i, f := range pieces {
			if i == before {
				require.True(rt, p.Announced(p.now, s.Announcement))
			}
			p.Receive(p.now, []peer.ID{"b", "c", "d"}[i%3], f)
			whole = append(whole, p.rebuild().Complete...)
		}
		require.Len(rt, whole, 1)
		require.Equal(rt, s.body, whole[0].Body)
		require.Equal(rt, p.Stats().Rebuilt == 1, whole[0].Rebuilt)
		require.False(rt, p.Coming(1))
		p.pass(time.Second)
		require.Empty(rt, p.kinds(relay.Want))
		require.Equal(rt, 4*size, memory.left)
		p.Committed(p.now, 2)
		p.pass(time.Minute)
		require.Zero(rt, p.Blocks())
	})
}

// almost is a player that lacks three leaves of a block, with parity that is complete but for a leaf.
func almost(t *testing.T, s *shielded) *player {
	p := play(t)
	p.Memory = &purse{1 << 20}
	require.True(t, p.Announced(p.now, s.Announcement))
	for i := range s.tree.Count() - 3 {
		p.Receive(p.now, "b", s.piece(relay.Final, i, 1))
	}
	for i := range 2 {
		p.Receive(p.now, "b", s.extra(relay.Final, i, 1))
	}
	require.Empty(t, p.Take().Rebuild)
	return p
}

// Parity that is not that of the body is found out when it is used. Its announcer is blamed, those who relayed it are not; the
// block does without, and so do the next ones of that announcer.
func TestFalseParity(t *testing.T) {
	b := newBlock(1, 100_000, "a")
	s := shield(t, b, newBlock(2, 100_000, "a").body, 10)
	p := almost(t, s)
	p.Receive(p.now, "b", s.extra(relay.Final, 2, 1))
	e := p.Take()
	require.Len(t, e.Rebuild, 1)
	p.Rebuilt(p.now, e.Rebuild[0].Run())
	e = p.Take()
	require.Empty(t, e.Complete)
	require.Empty(t, e.Forged)
	require.Equal(t, 1, p.Stats().Misled)
	p.Receive(p.now, "b", s.extra(relay.Final, 3, 1))
	require.Empty(t, p.Take().Rebuild, "it is a lie, however much of it comes")
	for i := s.tree.Count() - 3; i < s.tree.Count(); i++ {
		p.Receive(p.now, "b", s.piece(relay.Final, i, 1))
	}
	whole := p.Take().Complete
	require.Len(t, whole, 1)
	require.False(t, whole[0].Rebuilt)
	require.Equal(t, b.body, whole[0].Body)
	require.Equal(t, 1<<20, p.Memory.(*purse).left)

	blocks := p.Blocks()
	require.True(t, p.Announced(p.now, newShielded(t, 2, 100_000).Announcement))
	require.Equal(t, blocks+1, p.Blocks(), "without its parity")
}

func TestParityIsForwardedAndNotServed(t *testing.T) {
	s := newShielded(t, 1, 100_000)
	altered := s.extra(relay.Relay, 0, 2)
	altered.Data = append([]byte(nil), altered.Data...)
	altered.Data[9] ^= 1
	short := s.extra(relay.Relay, 0, 2)
	short.Proof = nil
	want := &relay.Frame{Kind: relay.Want, Ref: short.Ref, Missing: relay.NewBitmap(10), Have: relay.NewBitmap(10)}
	want.Missing.Set(1)
	for name, c := range map[string]struct {
		from           peer.ID
		frame          *relay.Frame
		forged, pieces int // that go out
	}{
		"to be relayed":              {"a", s.extra(relay.Relay, 0, 2), 0, 4},
		"of who did not announce it": {"b", s.extra(relay.Relay, 0, 2), 0, 0},
		"for us":                     {"b", s.extra(relay.Final, 0, 2), 0, 0},
		"altered":                    {"a", altered, 1, 0},
		"without its proof":          {"a", short, 0, 0},
		"wanted":                     {"b", want, 0, 0},
		"said to be done":            {"b", &relay.Frame{Kind: relay.Done, Ref: short.Ref, Missing: relay.NewBitmap(10)}, 0, 0},
		"not to be sent":             {"a", &relay.Frame{Kind: relay.Cancel, Ref: short.Ref, Missing: want.Missing}, 0, 0},
		"not judged":                 {"b", &relay.Frame{Kind: relay.Unready, Ref: short.Ref}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, done := range []bool{false, true} { // others count on us when we have the block as well
				p := play(t)
				require.True(t, p.Announced(p.now, s.Announcement))
				if done {
					p.Committed(p.now, 2)
				}
				p.Receive(p.now, c.from, c.frame)
				require.Len(t, p.kinds(relay.Piece), c.pieces)
				require.Equal(t, c.forged, p.Stats().Forged)
				p.Receive(p.now, c.from, c.frame)
				require.Empty(t, p.kinds(relay.Piece), "once")
			}
		})
	}
}

// Whoever has a piece of parity and no announcement asks for that.
func TestAnnouncementOfUnknownParity(t *testing.T) {
	s := newShielded(t, 1, 100_000)
	p := play(t)
	p.Receive(p.now, "b", s.extra(relay.Final, 0, 2))
	p.pass(30 * time.Millisecond)
	asked := p.sent("b")
	require.Len(t, asked, 1)
	require.Equal(t, relay.Want, asked[0].Kind)

	other := play(t)
	require.True(t, other.Announced(other.now, s.Announcement))
	other.Receive(other.now, "c", asked[0])
	answer := other.sent("c")
	require.Len(t, answer, 1)
	require.Equal(t, relay.Announce, answer[0].Kind)
	require.Equal(t, s.Sealed, answer[0].Data)

	require.True(t, p.Announced(p.now, s.Announcement))
	require.Zero(t, p.Stats().Overflow)
	require.EqualValues(t, 2<<10, p.Stats().Received)
}

// Parity counts as bytes of its body, and to compute one takes as much again: where that is too much, the block waits for the
// rest.
func TestMemoryOfParity(t *testing.T) {
	s := newShielded(t, 1, 100_000)
	for name, c := range map[string]struct {
		memory  int
		rebuilt int
	}{
		"enough":                         {200_000 + 10<<10, 1},
		"not to compute it":              {200_000 + 10<<10 - 1, 0},
		"committed while it is computed": {1 << 20, 0},
		"whole while it is computed":     {1 << 20, 0},
		"refuted while it is computed":   {1 << 20, 0},
		"forgotten while it is computed": {1 << 20, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, memory := almost(t, s), &purse{c.memory}
			used := 1<<20 - p.Memory.(*purse).left
			require.Equal(t, 100_000+10<<10, used)
			memory.left -= used
			p.Memory = memory
			p.Receive(p.now, "b", s.extra(relay.Final, 2, 1))
			e := p.Take()
			switch name {
			case "committed while it is computed":
				p.Committed(p.now, 2)
			case "forgotten while it is computed":
				p.Committed(p.now, 2)
				p.pass(time.Minute)
			case "refuted while it is computed":
				p.Refute(p.now, s.Announcement)
			case "whole while it is computed":
				for i := s.tree.Count() - 3; i < s.tree.Count(); i++ {
					p.Receive(p.now, "b", s.piece(relay.Final, i, 1))
				}
				require.Len(t, p.Take().Complete, 1)
			}
			for _, r := range e.Rebuild {
				p.Rebuilt(p.now, r.Run())
			}
			require.Equal(t, c.rebuilt, p.Stats().Rebuilt)
			require.Len(t, p.Take().Complete, c.rebuilt)
			p.Committed(p.now, 2)
			require.Equal(t, c.memory, memory.left)
		})
	}
}

// Each organization may announce one parity of a body, and no more than two may be announced.
func TestParityOfSeveralAnnouncers(t *testing.T) {
	var members []relay.Member
	for _, id := range []peer.ID{"a", "b", "c", "d", "e"} {
		members = append(members, relay.Member{ID: id, Org: "org " + string(id), Connected: true, RTT: 50 * time.Millisecond})
	}
	members[1].Org = members[0].Org
	p, b := play(t, members...), newBlock(1, 100_000, "a")
	for i, c := range []struct {
		by     peer.ID
		shards int
		known  int
	}{{"a", 10, 2}, {"b", 11, 2}, {"b", 10, 2}, {"c", 10, 2}, {"d", 12, 3}, {"e", 13, 3}} {
		a := shield(t, b, b.body, c.shards).Announcement
		a.From = c.by
		for _, m := range members {
			if m.ID == c.by {
				a.Org = m.Org
			}
		}
		require.True(t, p.Announced(p.now, a))
		require.Equal(t, c.known, p.Blocks(), "announcement %d", i)
	}
	require.True(t, p.Coming(1))
}

// Who computed a block reports it when what had not come has, or is overdue: its relays are judged by that, and whether packets
// were lost.
func TestReportOfAComputedBlock(t *testing.T) {
	const size = 100_000
	for name, c := range map[string]struct {
		after time.Duration // when the rest comes; 0: never
		lost  int           // leaves that count as lost
		late  int
	}{
		"the rest was on its way": {10 * time.Millisecond, 0, 0},
		"it was held back":        {80 * time.Millisecond, 3, 0},
		"it never comes":          {0, 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShielded(t, 1, size)
			p := almost(t, s)
			p.Receive(p.now, "b", s.extra(relay.Final, 2, 1))
			require.Len(t, p.rebuild().Complete, 1)
			require.Empty(t, p.kinds(relay.Done))
			if c.after > 0 {
				p.pass(c.after)
				for i := s.tree.Count() - 3; i < s.tree.Count(); i++ {
					forged := s.piece(relay.Final, i, 1)
					forged.Data = make([]byte, len(forged.Data))
					p.Receive(p.now, "b", forged)
				}
				p.pass(10 * time.Millisecond)
				require.Empty(t, p.kinds(relay.Done), "these were not the leaves")
				for i := s.tree.Count() - 3; i < s.tree.Count(); i++ {
					p.Receive(p.now, "b", s.piece(relay.Final, i, 1))
				}
				p.pass(10 * time.Millisecond)
			} else {
				p.pass(time.Second)
			}
			done := p.kinds(relay.Done)
			require.Len(t, done, 1, "to the announcer")
			require.Equal(t, c.lost, done[0].Have.Count())
			require.Equal(t, c.late, done[0].Missing.Count())
			p.pass(time.Second)
			require.Empty(t, p.kinds(relay.Done), "once")
		})
	}
}

// TestParityOverStreams: where three packets in a hundred are lost, members compute most blocks.
func TestParityOverStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 8, simtest.Link{Latency: 25 * time.Millisecond, BitsPerSecond: 100e6, Loss: 0.03})
		m.parity = true
		for number := range uint64(4) {
			body := m.publish(0, number, 400_000)
			time.Sleep(3 * time.Second)
			for i, n := range m.nodes[1:] {
				require.Equal(t, body, n.body(number), "block %d at node %d", number, 1+i)
			}
		}
		rebuilt := 0
		for _, n := range m.nodes[1:] {
			rebuilt += now(n, func() int { return n.rebuilt })
		}
		require.Greater(t, rebuilt, 7)
	})
}
