// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/relaysim"
)

func everybody(int) bool { return true }

// total sums what all machines have done.
func total(s *relaysim.Sim) (t relay.Stats) {
	for _, p := range s.Peers {
		x := p.Stats()
		t.Pieces += x.Pieces
		t.Wants += x.Wants
		t.Repairs += x.Repairs
		t.Duplicates += x.Duplicates
		t.Strikes += x.Strikes
		t.Received += x.Received
	}
	return t
}

func pick(random *rand.Rand, n, of int) map[int]bool {
	set := map[int]bool{}
	for _, i := range random.Perm(of - 1)[:n] {
		set[i+1] = true
	}
	return set
}

// The traps that research/dissemination-experiments.md lists: each made a working prototype collapse.

// TestNoComplaintsOnACleanNetwork: how late a piece may be grows with the size of the block, or false complaints bring copies
// that make everything later still.
func TestNoComplaintsOnACleanNetwork(t *testing.T) {
	for _, c := range []struct {
		peers, size int
		within      time.Duration
	}{{50, 16 << 10, 70 * time.Millisecond}, {50, 160 << 10, 90 * time.Millisecond}, {50, 1 << 20, 180 * time.Millisecond},
		{100, 1 << 20, 190 * time.Millisecond}, {30, 10 << 20, 1100 * time.Millisecond}} {
		s := relaysim.New(relaysim.Config{Peers: c.peers, Seed: 1, Judge: 2 * time.Millisecond})
		b := s.Block(1, c.size)
		s.Publish(0, b)
		s.Run(5 * time.Second)
		r, did := s.Result(b, everybody), total(s)
		require.Zero(t, r.Missing)
		require.LessOrEqual(t, r.All, c.within, "%d bytes", c.size)
		require.Zero(t, did.Wants)
		require.Zero(t, did.Duplicates)
		require.EqualValues(t, (c.peers-1)*c.size, did.Received, "each byte enters each peer once")
	}
}

// TestMutePeersAreFoundByTheFirstBlock: complaints add up over the whole block, not over each collection; nobody is blamed for
// repairing late; and none of them is to pass announcements on any more.
func TestMutePeersAreFoundByTheFirstBlock(t *testing.T) {
	for n, first := range map[int]time.Duration{50: 600 * time.Millisecond, 100: time.Second} {
		mute := pick(rand.New(rand.NewPCG(3, 3)), n/3, n)
		s := relaysim.New(relaysim.Config{Peers: n, Seed: 1, Send: func(from, _ int, f *relay.Frame) []*relay.Frame {
			if mute[from] {
				return nil
			}
			return []*relay.Frame{f}
		}})
		honest := func(i int) bool { return !mute[i] }
		for k, within := range []time.Duration{first, 260 * time.Millisecond, 260 * time.Millisecond} {
			b := s.Block(uint64(k+1), 1<<20)
			s.Publish(0, b)
			s.Run(2 * time.Second)
			r := s.Result(b, honest)
			require.Zero(t, r.Missing)
			require.Less(t, r.All, within, "block %d of %d peers", k+1, n)
		}
		for j := 1; j < n; j++ {
			require.Equal(t, honest(j), s.Peers[0].Weight(relaysim.ID(j)) > 0, "peer %d of %d", j, n)
		}
	}
}

// TestLossIsNobodysFault: single complaints must not drop relays, or none is left after some blocks.
func TestLossIsNobodysFault(t *testing.T) {
	s := relaysim.New(relaysim.Config{Peers: 30, Seed: 4, Loss: 0.01})
	for k := range 12 {
		s.Publish(0, s.Block(uint64(k+1), 400_000))
		s.Run(time.Second)
	}
	for j := 1; j < 30; j++ {
		require.Positive(t, s.Peers[0].Weight(relaysim.ID(j)), "peer %d", j)
	}
}

// TestCongestionIsNobodysFault: when the source's own uplink is slow, everybody complains about everybody. What is still on its
// way is not sent again, or the uplink has twice as much to carry.
func TestCongestionIsNobodysFault(t *testing.T) {
	s := relaysim.New(relaysim.Config{Peers: 30, Seed: 4, Up: func(i int) float64 {
		if i == 0 {
			return 2e6
		}
		return 100e6
	}})
	for k := range 3 {
		b := s.Block(uint64(k+1), 400_000)
		s.Publish(0, b)
		s.Run(20 * time.Second)
		require.Zero(t, s.Result(b, everybody).Missing)
	}
	for j := 1; j < 30; j++ {
		require.Positive(t, s.Peers[0].Weight(relaysim.ID(j)), "peer %d", j)
	}
	require.Less(t, total(s).Received, int64(3*29*400_000*101/100))
}

// TestPeersThatTakeNothing: a quarter takes next to nothing from its streams. That pieces wait for them is no sign of a slow
// uplink: they are sent over others, and who does not take them answers for them.
func TestPeersThatTakeNothing(t *testing.T) {
	stuck := func(i int) bool { return i%4 == 3 }
	s := relaysim.New(relaysim.Config{Peers: 20, Seed: 1, Down: func(i int) float64 {
		if stuck(i) {
			return 1e3
		}
		return 100e6
	}})
	for k, within := range []time.Duration{500 * time.Millisecond, 500 * time.Millisecond, 200 * time.Millisecond} {
		b := s.Block(uint64(k+1), 1_000_000)
		s.Publish(0, b)
		s.Run(3 * time.Second)
		r := s.Result(b, func(i int) bool { return !stuck(i) })
		require.Zero(t, r.Missing)
		require.Less(t, r.All, within, "block %d", b.Number)
	}
	for j := 1; j < 20; j++ {
		require.Equal(t, !stuck(j), s.Peers[0].Weight(relaysim.ID(j)) > 0, "peer %d", j)
	}
}

// TestSlowRelayComesBackByProbesAlone: letting relays recover by time makes every few blocks slow for ever.
func TestSlowRelayComesBackByProbesAlone(t *testing.T) {
	slow := true
	s := relaysim.New(relaysim.Config{Peers: 20, Seed: 4, Send: func(from, _ int, f *relay.Frame) []*relay.Frame {
		if from == 7 && slow && f.Kind == relay.Piece {
			return nil
		}
		return []*relay.Frame{f}
	}})
	spread := func(number int) time.Duration {
		b := s.Block(uint64(number), 400_000)
		s.Publish(0, b)
		s.Run(3 * time.Second)
		require.Zero(t, s.Result(b, everybody).Missing)
		return s.Result(b, everybody).All
	}
	require.Greater(t, spread(1), 180*time.Millisecond)
	for k := 2; k < 10; k++ {
		require.Less(t, spread(k), 120*time.Millisecond, "block %d", k)
	}
	require.Zero(t, s.Peers[0].Weight(relaysim.ID(7)))
	slow = false
	for k := 10; k < 16; k++ {
		spread(k)
	}
	require.Positive(t, s.Peers[0].Weight(relaysim.ID(7)))
}

// TestAThirdThatComplainsFalselyDropsNobody: more than a third of the identities has to complain, and no organization counts
// for more than its part.
func TestAThirdThatComplainsFalselyDropsNobody(t *testing.T) {
	for name, org := range map[string]func(i int) string{
		"a third of one organization": func(int) string { return "org" },
		"an organization of many":     func(i int) string { return fmt.Sprint(min(i, 6)) },
	} {
		t.Run(name, func(t *testing.T) {
			liars := func(i int) bool { return i >= 21 }
			if name == "an organization of many" {
				liars = func(i int) bool { return i >= 6 }
			}
			var s *relaysim.Sim
			s = relaysim.New(relaysim.Config{Peers: 30, Seed: 4, Org: org, Send: func(from, to int, f *relay.Frame) []*relay.Frame {
				if liars(from) {
					return misdeeds["complains"](s, to, f)
				}
				return []*relay.Frame{f}
			}})
			for k := range 5 {
				s.Publish(0, s.Block(uint64(k+1), 400_000))
				s.Run(2 * time.Second)
			}
			for j := 1; j < 30; j++ {
				require.EqualValues(t, 1, s.Peers[0].Weight(relaysim.ID(j)), "peer %d", j)
			}
		})
	}
}

// TestLeadersAgreeWhoSpreads: four have the block at the same time, and one spreads it; when it dies, another does.
func TestLeadersAgreeWhoSpreads(t *testing.T) {
	dead := -1
	s := relaysim.New(relaysim.Config{
		Peers: 40, Seed: 9, Leader: func(i int) bool { return i < 4 }, Judge: 2 * time.Millisecond, Topic: 100 * time.Millisecond,
		Send: func(from, _ int, f *relay.Frame) []*relay.Frame {
			if from == dead {
				return nil
			}
			return []*relay.Frame{f}
		},
	})
	spread := func(number int) relaysim.Spread {
		b := s.Block(uint64(number), 400_000)
		for i := range 4 {
			s.Offer(i, b)
		}
		s.After(60*time.Millisecond, func() {
			if number == 4 {
				dead = 0
				for i := range 4 {
					if s.Peers[i].Announces(b.Ref()) {
						dead = i
					}
				}
			}
		})
		s.Run(4 * time.Second)
		return s.Result(b, func(i int) bool { return i != dead })
	}
	for k := 1; k <= 3; k++ {
		before := total(s).Received
		r := spread(k)
		require.Zero(t, r.Missing)
		require.Less(t, r.All, 140*time.Millisecond)
		require.LessOrEqual(t, total(s).Received-before, int64(39*400_000*103/100), "block %d in one copy", k)
	}
	r := spread(4)
	require.NotEqual(t, -1, dead)
	require.Zero(t, r.Missing, "the source died half-way: another leader repairs")
	require.Less(t, r.All, 2*time.Second)
	require.Zero(t, spread(5).Missing)
}

// TestHiddenMembersAreServedByTheirOwn: nobody else sees them.
func TestHiddenMembersAreServedByTheirOwn(t *testing.T) {
	s := relaysim.New(relaysim.Config{
		Peers: 40, Seed: 9, Judge: 2 * time.Millisecond,
		Org: func(i int) string { return fmt.Sprint(i / 4) }, Hidden: func(i int) bool { return i%4 != 0 },
	})
	for k := range 2 {
		b := s.Block(uint64(k+1), 400_000)
		before := total(s).Received
		s.Publish(0, b)
		s.Run(4 * time.Second)
		r := s.Result(b, everybody)
		require.Zero(t, r.Missing)
		require.Less(t, r.All, 250*time.Millisecond)
		require.LessOrEqual(t, total(s).Received-before, int64(39*400_000*102/100))
	}
}

// TestMembersComeAndGoInTheMiddle: whoever comes late is told by pieces that it did not expect, and whoever goes takes its
// pieces along.
func TestMembersComeAndGoInTheMiddle(t *testing.T) {
	gone := map[int]bool{19: true}
	linked := func(a, b int) bool { return !gone[a] && !gone[b] }
	s := relaysim.New(relaysim.Config{Peers: 20, Seed: 9, Linked: linked, Sees: linked, Send: func(from, to int, f *relay.Frame) []*relay.Frame {
		if !linked(from, to) {
			return nil
		}
		return []*relay.Frame{f}
	}})
	b := s.Block(1, 1_000_000)
	s.Publish(0, b)
	s.After(50*time.Millisecond, func() {
		gone = map[int]bool{7: true, 8: true}
		for i := range 20 {
			s.After(time.Duration(i)*3*time.Millisecond, func() { s.Meet(i) })
		}
	})
	s.Run(5 * time.Second)
	r := s.Result(b, func(i int) bool { return i != 7 && i != 8 })
	require.Zero(t, r.Missing)
	require.Less(t, r.All, time.Second)
}

// TestPairsWithoutAConnection: one pair in twenty cannot reach each other, the source's among them.
func TestPairsWithoutAConnection(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	cut := map[[2]int]bool{}
	for a := range 30 {
		for b := range a {
			cut[[2]int{b, a}] = random.Float64() < 0.05
		}
	}
	s := relaysim.New(relaysim.Config{Peers: 30, Seed: 9, Topic: 100 * time.Millisecond, Linked: func(a, b int) bool { return !cut[[2]int{min(a, b), max(a, b)}] }})
	for k := range 3 {
		b := s.Block(uint64(k+1), 400_000)
		s.Publish(0, b)
		s.Run(3 * time.Second)
		r := s.Result(b, everybody)
		require.Zero(t, r.Missing)
		require.Less(t, r.All, 500*time.Millisecond)
	}
}

// TestFalseRootAndTheTrueOneFromAnother: a body that fits the root and not the header; the block still comes.
func TestFalseRootAndTheTrueOneFromAnother(t *testing.T) {
	s := relaysim.New(relaysim.Config{Peers: 20, Seed: 9, Topic: 100 * time.Millisecond})
	lie, truth := s.Block(1, 300_000), s.Block(1, 300_000)
	for _, p := range s.Peers {
		p.OnComplete = func(c relay.Complete) bool { return bytes.Equal(c.Body, truth.Body) }
	}
	p := s.Peers[3]
	s.Publish(3, lie)
	delete(p.Got, 1)
	s.Run(50 * time.Millisecond)
	s.Publish(0, truth)
	s.Run(5 * time.Second)
	r := s.Result(truth, func(i int) bool { return i != 3 })
	require.Zero(t, r.Missing)
	require.Less(t, r.All, 500*time.Millisecond)
	require.Positive(t, s.Peers[5].Refuted)
}

// TestStreamOfBlocks: four fifths of every uplink in use, and nothing builds up.
func TestStreamOfBlocks(t *testing.T) {
	s := relaysim.New(relaysim.Config{Peers: 20, Seed: 9})
	var blocks []*relaysim.Block
	for k := range 60 {
		b := s.Block(uint64(k+1), 400_000)
		blocks = append(blocks, b)
		s.Publish(0, b)
		s.Run(42 * time.Millisecond)
	}
	s.Run(2 * time.Second)
	for _, b := range blocks {
		r := s.Result(b, everybody)
		require.Zero(t, r.Missing)
		require.Less(t, r.All, 120*time.Millisecond, "block %d", b.Number)
	}
	require.Zero(t, total(s).Wants)
}
