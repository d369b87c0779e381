// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader"
)

// looking is a channel whose leaders may keep blocks back, and whose members look. A block that anybody brings is everybody's at once.
type looking struct {
	t       testing.TB
	now     time.Time
	made    uint64 // by the ordering service
	height  uint64 // of everybody
	moved   time.Time
	members []*looker
	looks   int
}

// looker is one member: its election, and the look under way.
type looker struct {
	id       peer.ID
	org      string
	leads    bool // as a static leader does, and brings nothing
	idle     bool // it never looks and never leads
	election *leader.Election
	decision leader.Decision
	until    time.Time // its look has seen nothing by then
	from     uint64
	seen     time.Time // when its look has seen a block; zero: not yet
}

const (
	lookAfter = 30 * time.Second
	lookTakes = 10 * time.Second // a block comes at the end of 5 s at worst, and is shown to others for 5 s
)

// newLooking makes organizations of so many members each; the first of each is a leader that brings nothing.
func newLooking(t testing.TB, seed uint64, orgs, members int) *looking {
	w := &looking{t: t, now: epoch, made: seed, height: seed, moved: epoch}
	for i := range orgs * members {
		election, err := leader.NewElection(leader.Timing{})
		require.NoError(t, err)
		w.members = append(w.members, &looker{
			id: peer.ID(fmt.Sprintf("%d.%04d", seed, i)), org: fmt.Sprint("org", i%orgs), leads: i < orgs, election: election,
		})
	}
	return w
}

// run lets time pass, a second at a time.
func (w *looking) run(d time.Duration, each func()) {
	for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(time.Second) {
		if each != nil {
			each()
		}
		for _, m := range w.members {
			if !m.leads && !m.idle {
				w.step(m)
			}
		}
	}
}

func (w *looking) step(m *looker) {
	if m.decision.Lead {
		w.commit(w.made)
	}
	if !m.until.IsZero() {
		w.look(m)
	}
	if w.now.Before(m.decision.Wake) {
		return
	}
	m.decision = m.election.Step(w.now, w.input(m))
	if m.decision.Look {
		require.Zero(w.t, m.until, "one look at a time")
		m.until, m.from, m.seen = w.now.Add(5*time.Second), w.height, time.Time{}
		w.looks++
	}
}

// look is what [leader.Puller.Look] does.
func (w *looking) look(m *looker) {
	end := func(f leader.Finding) {
		m.until = time.Time{}
		m.election.Looked(w.now, f)
		m.decision.Wake = w.now
	}
	switch {
	case m.seen.IsZero() && w.made > m.from:
		m.seen = w.now
	case m.seen.IsZero() && !w.now.Before(m.until):
		end(leader.Nothing)
	case m.seen.IsZero() || w.now.Before(m.seen.Add(5*time.Second)):
	case w.height > m.from:
		end(leader.Shown)
	default:
		w.commit(w.made)
		end(leader.Withheld)
	}
}

func (w *looking) commit(height uint64) {
	if height > w.height {
		w.height, w.moved = height, w.now
	}
}

func (w *looking) input(m *looker) leader.Input {
	in := leader.Input{
		Self: m.id, Height: w.height, Highest: w.height, CanPull: true, Moved: w.moved, Head: binary.BigEndian.AppendUint64(nil, w.height), Org: m.org,
	}
	orgs := map[string]bool{m.org: true}
	for _, o := range w.members {
		switch {
		case o.org != m.org && !orgs[o.org]:
			orgs[o.org] = true
			in.Orgs = append(in.Orgs, o.org)
		case o.org == m.org && o != m:
			in.Peers = append(in.Peers, leader.Candidate{ID: o.id, Height: w.height, Leads: o.leads || o.decision.Lead, LastSeen: w.now})
		}
	}
	return in
}

// leaders are those who lead besides those that bring nothing.
func (w *looking) leaders() (n int) {
	for _, m := range w.members {
		if m.decision.Lead {
			n++
		}
	}
	return n
}

// TestLooksOfAQuietChannel: 50 members, nothing ordered for an hour. One member looks every 30 s, however many organizations there are, and
// nobody takes the lead of anybody.
func TestLooksOfAQuietChannel(t *testing.T) {
	for _, orgs := range []int{1, 25} {
		w := newLooking(t, 1, orgs, 50/orgs)
		w.run(time.Minute, nil)
		w.looks = 0
		w.run(time.Hour, nil)
		t.Logf("%d organizations: %d looks an hour", orgs, w.looks)
		require.InDelta(t, int(time.Hour/lookAfter), w.looks, 20)
		require.Zero(t, w.leaders())
	}
}

// TestWithheldBlocksComeIn: every leader keeps every block back, and up to a third of the other members never look. A block comes in at the
// latest when all those were waited for, and the next one at once.
func TestWithheldBlocksComeIn(t *testing.T) {
	var took figures
	seeds(t, 30, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 3))
		orgs := 1 + r.IntN(4)
		w := newLooking(t, seed, orgs, 3+r.IntN(8))
		idle := 0
		for _, m := range w.members {
			if !m.leads && 3*(idle+1) < len(w.members)-orgs && r.IntN(3) == 0 {
				m.idle, idle = true, idle+1
			}
		}
		w.run(time.Duration(r.Int64N(int64(10*time.Minute))), nil)
		w.made++
		start := w.now
		for w.height < w.made {
			require.LessOrEqual(t, w.now.Sub(start), time.Duration(idle*orgs+1)*lookAfter+lookTakes)
			w.run(time.Second, nil)
		}
		took = append(took, w.now.Sub(start))
		w.run(3*time.Second, nil)
		require.Equal(t, 1, w.leaders())
		for range 20 {
			w.made++
			w.run(3*time.Second, nil)
			require.Equal(t, w.made, w.height)
		}
	})
	took.log(t, "withheld block to commit")
}

// TestLeaderThatLetsBlocksThrough: one block now and then, so that the channel is never quiet for long. It is found out all the same.
func TestLeaderThatLetsBlocksThrough(t *testing.T) {
	var took figures
	seeds(t, 20, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 4))
		w := newLooking(t, seed, 1, 2+r.IntN(9))
		next, start := 0, w.now
		limit := time.Duration(60*len(w.members)) * lookAfter
		for w.leaders() == 0 {
			require.Less(t, w.now.Sub(start), limit)
			w.run(time.Second, func() {
				w.made++
				if next--; next < 0 {
					next = 10 + r.IntN(15)
					w.commit(w.height + 1)
				}
			})
		}
		took = append(took, w.now.Sub(start))
		w.run(3*time.Second, nil)
		require.Equal(t, w.made, w.height)
	})
	took.log(t, "to another leader")
}
