// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/relaysim"
)

// misdeed is what a faulty peer does with a frame that it ought to send.
type misdeed func(s *relaysim.Sim, to int, f *relay.Frame) []*relay.Frame

var misdeeds = map[string]misdeed{
	"mute": func(*relaysim.Sim, int, *relay.Frame) []*relay.Frame { return nil },
	"alters": func(_ *relaysim.Sim, _ int, f *relay.Frame) []*relay.Frame {
		g := *f
		if f.Kind == relay.Piece && len(f.Data) > 0 {
			g.Data = bytes.Clone(f.Data)
			g.Data[0] ^= 1
		}
		return []*relay.Frame{&g}
	},
	"withholds half": func(_ *relaysim.Sim, to int, f *relay.Frame) []*relay.Frame {
		if f.Kind == relay.Piece && to%2 == 0 {
			return nil
		}
		return []*relay.Frame{f}
	},
	"duplicates": func(_ *relaysim.Sim, _ int, f *relay.Frame) []*relay.Frame {
		return []*relay.Frame{f, f, f}
	},
	"misroutes": func(_ *relaysim.Sim, _ int, f *relay.Frame) []*relay.Frame {
		g := *f
		if f.Kind == relay.Piece {
			g.Mode = relay.Relay
		}
		return []*relay.Frame{&g}
	},
	"moves": func(_ *relaysim.Sim, _ int, f *relay.Frame) []*relay.Frame {
		g := *f
		if f.Kind == relay.Piece {
			g.First++
		}
		return []*relay.Frame{&g}
	},
	"complains": func(_ *relaysim.Sim, _ int, f *relay.Frame) []*relay.Frame {
		g := *f
		if f.Kind == relay.Done { // instead of a report: everything was late, and is missing
			g.Missing = append(relay.Bitmap(nil), f.Missing...)
			for i := range g.Missing {
				g.Missing[i] = ^uint64(0)
			}
			w := &relay.Frame{Kind: relay.Want, Ref: f.Ref, Missing: g.Missing, Have: make(relay.Bitmap, len(g.Missing))}
			return []*relay.Frame{w, &g}
		}
		return []*relay.Frame{f}
	},
	stalls: func(_ *relaysim.Sim, _ int, f *relay.Frame) []*relay.Frame { return []*relay.Frame{f} },
}

// stalls is the misdeed of who takes next to nothing from its streams.
const stalls = "takes nothing"

// schedule is a network, and who in it does what.
type schedule struct {
	peers               int
	seed                uint64
	size                int
	loss                float64
	deed                string
	faulty, slow, leads int // how many
	visible             int // of each of three organizations; 0: all
	rows, guests        bool
}

// drawSchedule draws a schedule in which up to a third of the peers are at fault.
func drawSchedule(t *rapid.T) (c schedule) {
	c.peers = rapid.IntRange(2, 13).Draw(t, "peers")
	c.seed = rapid.Uint64().Draw(t, "seed")
	c.size = rapid.SampledFrom([]int{0, 1, 1025, 20_000, 100_000, 300_000}).Draw(t, "size")
	c.loss = rapid.SampledFrom([]float64{0, 0, 0.01, 0.03}).Draw(t, "loss")
	c.deed = rapid.SampledFrom(slices.Sorted(maps.Keys(misdeeds))).Draw(t, "misdeed")
	c.faulty = rapid.IntRange(0, (c.peers-1)/3).Draw(t, "faulty")
	c.slow = rapid.IntRange(0, c.peers/5).Draw(t, "slow")
	c.leads = rapid.IntRange(1, min(3, c.peers)).Draw(t, "leaders")
	c.visible = rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "visible")
	c.rows = rapid.Bool().Draw(t, "rows")
	c.guests = c.visible > 0 && rapid.Bool().Draw(t, "guests")
	return c
}

// TestEveryScheduleDelivers: whatever the network and whoever is at fault, up to a third of the peers, every other peer gets
// every block, whole, in a bounded number of copies, and nobody who did no wrong is dropped as a relay.
func TestEveryScheduleDelivers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { drawSchedule(t).delivers(t) })
}

// TestSchedulesThatFailed are those by which mistakes were found. A source blamed relays for pieces that they did not pass on
// because they had them of another source, for what was still in its own queue, and for what it had taken back; a
// visible member blamed hidden ones for what was still in its queue, and a source a relay for what others' hidden members did not pass on. What waited for those who take nothing kept everybody from repairing anything.
func TestSchedulesThatFailed(t *testing.T) {
	for name, c := range map[string]schedule{
		"a slow source and another beside it":                   {peers: 11, seed: 0xffffffffffffffff, size: 300_000, deed: "mute", faulty: 3, slow: 1, leads: 3},
		"four sources":                                          {peers: 5, seed: 0x56, size: 600_000, deed: "duplicates", faulty: 1, slow: 1, leads: 4},
		"the queues of those who take nothing":                  {peers: 11, seed: 0x24647a, size: 300_000, deed: stalls, faulty: 3, slow: 2, leads: 3},
		"a mute hidden member that nobody of its own finds out": {peers: 10, deed: "mute", size: 100_000, faulty: 2, leads: 3, visible: 2, guests: true},
		"a slow peer that hidden ones wait for":                 {peers: 11, seed: 0x13f, size: 300_000, deed: "alters", slow: 1, leads: 1, visible: 1, rows: true, guests: true},
	} {
		t.Run(name, func(t *testing.T) { c.delivers(t) })
	}
}

func (c schedule) delivers(t require.TestingT) {
	faulty := pick(rand.New(rand.NewPCG(c.seed, 1)), c.faulty, c.peers)
	slow := pick(rand.New(rand.NewPCG(c.seed, 2)), c.slow, c.peers)
	honest := func(i int) bool { return !faulty[i] }
	s := c.network(faulty, slow)
	var blocks []*relaysim.Block
	for k := range 3 {
		b := s.Block(uint64(k+1), c.size)
		for _, p := range s.Peers {
			p.OnComplete = func(c relay.Complete) bool { return bytes.Equal(c.Body, blocks[c.Number-1].Body) }
		}
		blocks = append(blocks, b)
		for i := range c.leads {
			if honest(i) {
				s.Offer(i, b)
			}
		}
		s.Run(800 * time.Millisecond)
	}
	s.Run(40 * time.Second)
	for _, b := range blocks {
		r := s.Result(b, func(i int) bool { return honest(i) && !c.deserted(i, faulty) })
		require.Less(t, r.All, 30*time.Second, "block %d", b.Number)
		for i, p := range s.Peers {
			if _, got := p.Got[b.Number]; honest(i) && !got {
				require.True(t, c.loss > 0 || c.hidden(i) && len(faulty) > 0 || 3*c.visibleOf(faulty) > c.visibleOf(nil), "block %d at peer %d", b.Number, i)
				require.True(t, p.Lost[b.Number], "block %d at peer %d neither came nor was given up", b.Number, i)
			}
		}
	}
	for i, p := range s.Peers {
		if len(faulty) == 0 {
			require.LessOrEqual(t, p.Stats().Received, int64(3*4*c.size+4096), "bytes that peer %d got", i)
		}
		require.Zero(t, p.Refuted)
		for j := range s.Peers {
			if honest(i) && honest(j) && !slow[j] && c.loss == 0 && c.judges(i, j, faulty, slow) && p.Knows(relaysim.ID(j)) {
				require.Positive(t, p.Weight(relaysim.ID(j)), "peer %d dropped peer %d, which did no wrong", i, j)
			}
		}
	}
}

// judges says whether a peer can tell whether another is at fault. It cannot by what whole organizations say whose visible members are, nor, of a
// hidden member of its own, where half of those are; nor of relays, where guests of two organizations, of three, pass nothing on and half of their own
// or more do not either, so that nobody finds them out. And in rows, along which they pass pieces on for each other, no more than a quarter of the
// visible ones may be at fault or slow.
func (c schedule) judges(i, j int, faulty, slow map[int]bool) bool {
	hidden, liars, deserted := [3]int{}, [3]int{}, false
	for k := range c.peers {
		deserted = deserted || c.deserted(k, faulty)
		if c.hidden(k) {
			hidden[k%3]++
			if faulty[k] {
				liars[k%3]++
			}
		}
	}
	unknown := 0
	for org := range hidden {
		if c.guests && liars[org] > 0 && 2*liars[org] >= hidden[org] {
			unknown++
		}
	}
	switch {
	case i == j || deserted && !(c.hidden(j) && i%3 == j%3):
		return false
	case c.hidden(j) && i%3 == j%3:
		return 2*liars[j%3] < hidden[j%3]
	case c.rows:
		return unknown < 2 && 4*(c.visibleOf(faulty)+c.visibleOf(slow)) <= c.visibleOf(nil)
	default:
		return unknown < 2
	}
}

// visibleOf is how many of some peers are visible, of all if it is nil.
func (c schedule) visibleOf(some map[int]bool) (n int) {
	for i := range c.peers {
		if !c.hidden(i) && (some == nil || some[i]) {
			n++
		}
	}
	return n
}

func (c schedule) hidden(i int) bool { return c.visible > 0 && i/3 >= c.visible }

// deserted says whether a peer is hidden, and all visible members of its organization are at fault.
func (c schedule) deserted(i int, faulty map[int]bool) bool {
	for j := i % 3; j < i; j += 3 {
		if !c.hidden(j) && !faulty[j] {
			return false
		}
	}
	return c.hidden(i)
}

func (c schedule) network(faulty, slow map[int]bool) (s *relaysim.Sim) {
	s = relaysim.New(relaysim.Config{
		Peers: c.peers, Seed: c.seed, Loss: c.loss, Judge: 2 * time.Millisecond, Topic: 100 * time.Millisecond,
		Rows: c.rows, Guests: c.guests, Hidden: c.hidden,
		Org: func(i int) string { return fmt.Sprint(i % 3) }, Leader: func(i int) bool { return i < c.leads && !faulty[i] },
		Up: func(i int) float64 {
			if slow[i] {
				return 10e6
			}
			return 100e6
		},
		Down: func(i int) float64 {
			if faulty[i] && c.deed == stalls {
				return 1e3
			}
			return 100e6
		},
		Latency: func(a, b int) time.Duration { return time.Duration(5+(a*7+b*7)%30) * time.Millisecond },
		Send: func(from, to int, f *relay.Frame) []*relay.Frame {
			if faulty[from] {
				return misdeeds[c.deed](s, to, f)
			}
			return []*relay.Frame{f}
		},
	})
	return s
}
