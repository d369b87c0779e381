// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/internal/fair"
)

// swarm plays honest peers and colluding ones against a planner, in virtual time. Honest ones answer after a round trip; what
// colluders do is the test's.
type swarm struct {
	*blocksync.Planner
	t         *testing.T
	now       time.Time
	height    uint64 // of the honest
	committed uint64
	here      map[uint64]peer.ID // candidates
	flying    []answer
	again     time.Time
	collude   func(f blocksync.Fetch) []answer // the last one ends the fetch
}

// answer is a block that comes in, or the end of a fetch.
type answer struct {
	after time.Duration
	at    time.Time
	blocksync.Fetch
	block uint64 // 0: the end
	blocksync.Result
}

const roundTrip = 50 * time.Millisecond

func newSwarm(t *testing.T, height uint64, collude func(f blocksync.Fetch) []answer) *swarm {
	s := &swarm{t: t, now: start, height: height, committed: 1, here: map[uint64]peer.ID{}, collude: collude}
	s.Planner = blocksync.NewPlanner(1, func(number uint64) bool { return s.here[number] != "" })
	s.Charge(func(id peer.ID) fair.Owner {
		org := fmt.Sprint("org", id[len(id)-1]%4)
		return fair.Owner{Org: org, Identity: string(id)}
	})
	return s
}

// honest answers with all that was asked for.
func (s *swarm) honest(f blocksync.Fetch) (answers []answer) {
	for number := f.From; number <= f.To && number < s.height; number++ {
		answers = append(answers, answer{after: roundTrip, block: number})
	}
	got := len(answers)
	return append(answers, answer{after: roundTrip, Result: blocksync.Result{Got: got, Height: s.height}})
}

// claim lets everybody tell a height, the colluders last.
func (s *swarm) claim(colluders int) {
	for i := range 12 - colluders {
		s.Have(s.now, peer.ID(fmt.Sprint("honest", i)), s.height)
	}
	for i := range colluders {
		s.Have(s.now, peer.ID(fmt.Sprint("colluder", i)), 1<<63+s.height)
	}
}

// until plays until a height or a time, with claims as often as heartbeats. It reports whether the height came.
func (s *swarm) until(height uint64, end time.Time, colluders int) bool {
	for beat := s.now; s.committed < height && s.now.Before(end); {
		if !s.now.Before(beat) {
			s.claim(colluders)
			beat = s.now.Add(5 * time.Second)
		}
		s.plan()
		s.advance(beat)
	}
	return s.committed >= height
}

func (s *swarm) plan() {
	fetches, again := s.Plan(s.now, false)
	s.again = again
	for _, f := range fetches {
		answers := s.honest(f)
		if strings.HasPrefix(string(f.Peer), "colluder") {
			answers = s.collude(f)
		}
		for _, a := range answers {
			a.at, a.Fetch = s.now.Add(a.after), f
			s.flying = append(s.flying, a)
		}
	}
}

// advance goes to the next thing that happens.
func (s *swarm) advance(beat time.Time) {
	slices.SortStableFunc(s.flying, func(a, b answer) int { return a.at.Compare(b.at) })
	next := beat
	if len(s.flying) > 0 && s.flying[0].at.Before(next) {
		next = s.flying[0].at
	}
	if !s.again.IsZero() && s.again.Before(next) {
		next = s.again
	}
	s.now = next
	for len(s.flying) > 0 && !s.flying[0].at.After(s.now) {
		a := s.flying[0]
		s.flying = s.flying[1:]
		s.hear(a)
	}
}

func (s *swarm) hear(a answer) {
	if a.block == 0 {
		s.Done(s.now, a.Fetch, a.Result)
		return
	}
	s.Progress(s.now, a.Fetch)
	if a.block >= s.committed && s.here[a.block] == "" {
		s.here[a.block] = a.Peer
	}
	before := s.committed
	for ; s.here[s.committed] != ""; s.committed++ {
		s.Proved(s.here[s.committed])
		delete(s.here, s.committed)
	}
	if s.committed > before {
		s.Committed(s.now, s.committed)
		s.cancel()
	}
}

// cancel ends the fetches of what is committed, as the client does.
func (s *swarm) cancel() {
	for _, f := range s.Underway() {
		if f.To < s.committed {
			s.flying = slices.DeleteFunc(s.flying, func(a answer) bool { return a.Fetch == f })
			s.Done(s.now, f, blocksync.Result{Failed: true, Late: true})
		}
	}
}

// failed ends a fetch after a time.
func failed(after time.Duration, r blocksync.Result) answer {
	r.Failed = true
	return answer{after: after, Result: r}
}

var collusions = map[string]func(f blocksync.Fetch) []answer{
	"silence": func(blocksync.Fetch) []answer { return []answer{failed(10*time.Second, blocksync.Result{})} },
	"one block and then silence": func(f blocksync.Fetch) []answer {
		return []answer{{after: roundTrip, block: f.From}, failed(10*time.Second, blocksync.Result{Got: 1, Height: 1 << 63})}
	},
	"all but the last block": func(f blocksync.Fetch) (answers []answer) {
		for number := f.From; number < f.To; number++ {
			answers = append(answers, answer{after: roundTrip, block: number})
		}
		return append(answers, failed(10*time.Second, blocksync.Result{Got: len(answers), Height: 1 << 63}))
	},
	"a block every two seconds": func(f blocksync.Fetch) (answers []answer) {
		after := time.Duration(0)
		for number := f.From; number <= f.To; number++ {
			after += 1900 * time.Millisecond
			answers = append(answers, answer{after: after, block: number})
		}
		return append(answers, answer{after: after, Result: blocksync.Result{Got: len(answers), Height: 1 << 63}})
	},
	"not found": func(blocksync.Fetch) []answer {
		return []answer{failed(roundTrip, blocksync.Result{Height: 1 << 63})}
	},
	"sent on": func(blocksync.Fetch) []answer {
		return []answer{{after: roundTrip, Result: blocksync.Result{Elsewhere: "colluder0", Height: 1 << 63}}}
	},
}

// TestThirdColludesInCatchUp: 12 peers of which 4 claim 2^63 blocks and answer so that it hurts most. Catching up takes at
// most three times as long as without them, and 15 s.
func TestThirdColludesInCatchUp(t *testing.T) {
	const height = 20000
	alone := newSwarm(t, height, nil)
	require.True(t, alone.until(height, start.Add(time.Hour), 0))
	best := alone.now.Sub(start)
	for name, collude := range collusions {
		t.Run(name, func(t *testing.T) {
			s := newSwarm(t, height, collude)
			require.True(t, s.until(height, start.Add(time.Hour), 4), "height %d", s.committed)
			took := s.now.Sub(start)
			t.Logf("%s instead of %s", took, best)
			require.LessOrEqual(t, took, 3*best+15*time.Second)
		})
	}
}

// TestThirdColludesAtTheTip: a block every second, announced by an honest peer, while 4 of 12 claim to have 2^63. It is
// fetched as if they were not there, but for a few at the start.
func TestThirdColludesAtTheTip(t *testing.T) {
	for name, collude := range collusions {
		t.Run(name, func(t *testing.T) {
			s := newSwarm(t, 1, collude)
			late := 0
			var worst time.Duration
			for number := uint64(1); number <= 300; number++ {
				s.until(number+1, s.now.Add(time.Second), 4) // nothing new, but for what colluders make up
				s.height = number + 1
				s.Have(s.now, peer.ID(fmt.Sprint("honest", number%8)), s.height)
				asked := s.now
				require.True(t, s.until(s.height, s.now.Add(30*time.Second), 4), "block %d", number)
				took := s.now.Sub(asked)
				if worst = max(worst, took); took > 4*roundTrip {
					late++
				}
			}
			t.Logf("%d of 300 late, the worst by %s", late, worst)
			require.LessOrEqual(t, late, 5)
			require.LessOrEqual(t, worst, 10*time.Second)
			require.LessOrEqual(t, s.Credible(), s.height+1<<63)
		})
	}
}
