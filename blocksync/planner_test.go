// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/blocksync"
)

// TestLiarsCannotStopTheChain: some honest peers have 300 blocks; the others claim any height, answer with forgeries, with
// nothing, late or not at all, come and go. The chain is complete in the end, and the planner keeps its bounds all the while.
func TestLiarsCannotStopTheChain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGame(t)
		for g.committed < target && g.now.Sub(start) < 15*time.Minute {
			g.step()
		}
		require.EqualValues(t, target, g.committed, "after %s", g.now.Sub(start))
		require.Less(t, g.asked, 3000, "requests made")
	})
}

const target = 300 // height of the honest

var start = time.Unix(1000, 0)

// game plays peers against a planner.
type game struct {
	*rapid.T
	*blocksync.Planner
	now       time.Time
	committed uint64
	slots     map[uint64][]peer.ID // candidates by number, and who brought them
	honest    map[peer.ID]bool
	ends      []end     // of the fetches under way
	claims    time.Time // when everybody claims once more
	again     time.Time // when the planner wants to be asked
	asked     int
}

// end is how and when a fetch will end.
type end struct {
	at time.Time
	blocksync.Fetch
	blocksync.Result
}

func newGame(t *rapid.T) *game {
	g := &game{T: t, now: start, committed: 1, slots: map[uint64][]peer.ID{}, honest: map[peer.ID]bool{}, claims: start}
	g.Planner = blocksync.NewPlanner(1, func(number uint64) bool { return len(g.slots[number]) > 0 })
	for i := range rapid.IntRange(1, 3).Draw(t, "honest") {
		g.honest[peer.ID(fmt.Sprintf("honest%d", i))] = true
	}
	for i := range rapid.IntRange(0, 12).Draw(t, "liars") {
		g.honest[peer.ID(fmt.Sprintf("liar%d", i))] = false
	}
	return g
}

// step asks the planner, checks its answer and goes on to the next thing that happens.
func (g *game) step() {
	fetches, again := g.Plan(g.now, false)
	require.True(g, again.IsZero() || again.After(g.now), "a timer in the past spins")
	g.again = again
	for _, f := range fetches {
		g.check(f)
		g.asked++
		g.ends = append(g.ends, g.answer(f))
	}
	underway := g.Underway()
	require.LessOrEqual(g, len(underway), blocksync.FetchParallel+blocksync.FetchUrgent)
	perPeer, asked := map[peer.ID]int{}, map[string]bool{}
	for _, f := range underway {
		perPeer[f.Peer]++
		require.LessOrEqual(g, perPeer[f.Peer], blocksync.FetchPerPeer)
		for number := f.From; number <= f.To; number++ {
			key := fmt.Sprint(f.Peer, number)
			require.False(g, asked[key], "%d is asked of %s twice", number, f.Peer)
			asked[key] = true
		}
	}
	g.advance()
}

func (g *game) check(f blocksync.Fetch) {
	require.Contains(g, g.honest, f.Peer)
	require.LessOrEqual(g, f.From, f.To)
	require.Less(g, f.To-f.From, uint64(blocksync.FetchBlocks))
	require.GreaterOrEqual(g, f.From, g.committed)
	require.Less(g, f.To, g.committed+blocksync.Window)
	for number := f.From; number <= f.To; number++ {
		require.Empty(g, g.slots[number], "%d is here", number)
	}
}

// answer draws how a fetch ends.
func (g *game) answer(f blocksync.Fetch) end {
	n := int(f.To - f.From + 1)
	e := end{Fetch: f, at: g.now.Add(time.Duration(rapid.IntRange(10, 500).Draw(g.T, "milliseconds")) * time.Millisecond)}
	e.Got, e.Height = rapid.IntRange(1, n).Draw(g.T, "prefix"), target
	if g.honest[f.Peer] {
		return e
	}
	e.Height = rapid.Uint64Range(0, 1<<63).Draw(g.T, "lie about the height")
	switch rapid.IntRange(0, 4).Draw(g.T, "lie") {
	case 0: // forgeries
	case 1:
		e.Got, e.Lied, e.Failed = 0, true, true
	case 2:
		e.Got, e.Failed = 0, true
	case 3: // trickles
		e.at = g.now.Add(90 * time.Second)
	case 4:
		e.at, e.Got, e.Failed = g.now.Add(10*time.Second), 0, true
	}
	return e
}

// advance goes to the next event: the end of a fetch, a round of claims, or the planner's timer.
func (g *game) advance() {
	next, first := g.claims, -1
	for i, e := range g.ends {
		if !e.at.After(next) {
			next, first = e.at, i
		}
	}
	if !g.again.IsZero() && g.again.Before(next) {
		g.now = g.again
		return
	}
	g.now = next
	if first < 0 {
		g.claim()
		return
	}
	e := g.ends[first]
	g.ends = append(g.ends[:first], g.ends[first+1:]...)
	for i := range e.Got {
		number := e.From + uint64(i)
		if number >= g.committed && len(g.slots[number]) < blocksync.MaxCandidates {
			g.slots[number] = append(g.slots[number], e.Peer)
		}
	}
	g.Done(g.now, e.Fetch, e.Result)
	g.commit()
}

// claim is a round of heartbeats, and of comings and goings.
func (g *game) claim() {
	for _, id := range slices.Sorted(maps.Keys(g.honest)) {
		height := uint64(target)
		if !g.honest[id] {
			height = rapid.Uint64Range(0, 1<<63).Draw(g.T, "claim")
			if rapid.IntRange(0, 9).Draw(g.T, "leaves") == 0 {
				g.Gone(id)
			}
		}
		g.Have(g.now, id, height)
	}
	g.claims = g.now.Add(5 * time.Second)
}

// commit does what the writer does.
func (g *game) commit() {
	before := g.committed
	for len(g.slots[g.committed]) > 0 {
		from := g.slots[g.committed][0]
		if !g.honest[from] {
			g.forget(from)
			g.Lied(g.now, from)
			continue
		}
		delete(g.slots, g.committed)
		g.Proved(from)
		g.committed++
	}
	if g.committed == before {
		return
	}
	g.Committed(g.now, g.committed)
	for i := 0; i < len(g.ends); i++ {
		if e := g.ends[i]; e.To < g.committed { // cancelled
			g.ends = append(g.ends[:i], g.ends[i+1:]...)
			g.Done(g.now, e.Fetch, blocksync.Result{Failed: true, Late: true})
			i--
		}
	}
}

func (g *game) forget(from peer.ID) {
	for number, ids := range g.slots {
		kept := ids[:0:0]
		for _, id := range ids {
			if id != from {
				kept = append(kept, id)
			}
		}
		g.slots[number] = kept
	}
}

// TestPlannerForgetsTheWorst: claims are bounded, and strangers cannot push out who has proved itself.
func TestPlannerForgetsTheWorst(t *testing.T) {
	p := blocksync.NewPlanner(1, func(uint64) bool { return false })
	p.Have(start, "good", 5)
	p.Proved("good")
	p.Have(start, "failed", 5)
	p.Lied(start, "failed")
	for i := range 3 * blocksync.MaxHolders {
		p.Have(start, peer.ID(fmt.Sprint("stranger", i)), 1<<60)
		require.LessOrEqual(t, p.Holders(), blocksync.MaxHolders)
	}
	p.Have(start, "latest", 1<<61)
	require.EqualValues(t, uint64(1)<<61, p.Highest())
	asked := map[peer.ID]bool{}
	for range 2 * blocksync.MaxHolders {
		fetches, _ := p.Plan(start, false)
		if len(fetches) == 0 {
			break
		}
		for _, f := range fetches {
			asked[f.Peer] = true
			p.Done(start, f, blocksync.Result{Failed: true})
		}
	}
	require.True(t, asked["good"])
	require.False(t, asked["failed"])
}

func BenchmarkPlan(b *testing.B) {
	p := blocksync.NewPlanner(1, func(uint64) bool { return false })
	for i := range 100 {
		p.Have(start, peer.ID(fmt.Sprint(i)), 1000)
	}
	for b.Loop() {
		fetches, _ := p.Plan(start, false)
		for _, f := range fetches {
			p.Done(start, f, blocksync.Result{Got: 16, Height: 1000})
		}
	}
}
