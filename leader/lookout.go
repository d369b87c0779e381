// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"
)

// lookout decides when a member that follows a leader looks at the ordering service itself. A leader that keeps blocks back is found out by
// what others have; where nobody else pulls, nobody has anything, and the look is all there is. Pure.
type lookout struct {
	begun time.Time // of the look under way; zero: there is none
	last  time.Time // when the latest look ended; zero: there was none
	blind int       // looks in a row that the ordering service did not answer
}

const (
	// patrol is after how many rounds of turns we look even though blocks come in: a leader could let one through from time to time.
	patrol = 4
	// maxTurns is where turns end that nobody should wait for, and maxBlind how often they double. They keep products of durations from overflow.
	maxTurns, maxBlind = 1024, 3
)

// looks decides whether a look is due, for one who follows: LookAfter after the last block, once for each turn before ours, and again after
// a round of all turns.
func (e *Election) looks(in Input, peers []candidate) bool {
	l := &e.lookout
	if e.t.LookAfter < 0 || !l.begun.IsZero() {
		return false
	}
	round := time.Duration(in.turns(peers)) * e.t.LookAfter
	if !e.patrols(in, round) && !e.quiet(in, peers, round) {
		return false
	}
	l.begun = e.clock.now
	return true
}

// patrols reports whether we have not looked for long. Members begin at different times, so that they do not look all at once.
func (e *Election) patrols(in Input, round time.Duration) bool {
	l := &e.lookout
	if l.last.IsZero() {
		return e.clock.past(e.born.Add(e.t.LookAfter + patrol*in.phase(round)))
	}
	return e.clock.past(l.last.Add(patrol * round << l.blind))
}

// quiet reports whether no block has come for so long that it is our turn, and that we have not looked in that turn.
func (e *Election) quiet(in Input, peers []candidate, round time.Duration) bool {
	since, l, wait := later(in.Moved, e.born), &e.lookout, e.t.LookAfter
	if l.blind > 0 {
		wait = round << l.blind
	}
	if !e.clock.past(later(since, l.last).Add(wait)) {
		return false
	}
	due := since.Add(time.Duration(1+in.turn(peers)) * e.t.LookAfter)
	if missed := l.last.Sub(due); missed >= 0 {
		due = due.Add((missed/round + 1) * round)
	}
	return e.clock.past(due)
}

// Looked tells what the look has shown that a Decision has asked for. Step must follow.
func (e *Election) Looked(now time.Time, f Finding) {
	e.clock.start(now)
	l := &e.lookout
	if f == Withheld {
		e.catch(l.begun)
	}
	if l.blind++; f != Blind {
		l.blind = 0
	}
	l.begun, l.last, l.blind = time.Time{}, e.clock.now, min(l.blind, maxBlind)
}

// turn is our place in the order in which the members of the channel look. The organizations take turns, and in each of them those who do
// not lead: so no organization is held up by how many members another one makes up. The newest block draws the order of both, so that nobody
// can choose to be always first.
func (in Input) turn(peers []candidate) int {
	ahead, before := 0, 0
	self, ours := in.draw(string(in.Self)), in.draw(in.Org)
	for _, p := range peers {
		if !p.Leads && in.draw(string(p.ID)) < self {
			ahead++
		}
	}
	for _, org := range in.Orgs {
		if in.draw(org) < ours {
			before++
		}
	}
	return min(ahead*(1+len(in.Orgs))+before, maxTurns)
}

// turns is how many there are, ours included.
func (in Input) turns(peers []candidate) int {
	members := 1
	for _, p := range peers {
		if !p.Leads {
			members++
		}
	}
	return min(members*(1+len(in.Orgs)), maxTurns)
}

// draw is a number that nobody can choose who does not make blocks.
func (in Input) draw(name string) uint64 {
	h := sha256.New()
	h.Write(in.Head)
	h.Write([]byte(name))
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// phase is a part of d that differs between members.
func (in Input) phase(d time.Duration) time.Duration {
	share := float64(Input{}.draw(string(in.Self))) / math.MaxUint64
	return time.Duration(share * float64(d))
}
