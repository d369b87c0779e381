// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// sight is what an election remembers of another peer.
type sight struct {
	step  uint64    // the latest Step that saw it
	came  time.Time // since when each Step has seen it
	left  time.Time // when a Step first missed it
	echo  time.Time // the heartbeat with which it came back soon as a leader; zero: it did not
	alive bool      // its heartbeat was fresh then
	leads bool      // what it claimed then
	who   string    // its identity
	idle  time.Time // the latest heartbeat without the claim; zero: none
	began time.Time // when it was first seen to claim the lead
	gave  time.Time // when it last gave the lead up; zero: never
	rival time.Time // since when it has led beside us; zero: it does not
	lag   stall     // of its height while it leads, far behind
	still stall     // of its height while it leads, behind at all
	holds stall     // of our height while it claims more and leads
	stuck time.Time // when it was last seen to lead without getting blocks, or without giving them; zero: never
}

// candidate is a peer whose heartbeat is fresh.
type candidate struct {
	Candidate
	*sight
}

// view compares the view with what is remembered and returns the peers whose heartbeats are fresh, by peer ID.
func (e *Election) view(in Input) []candidate {
	e.steps++
	enough := e.enough(in)
	peers := make([]candidate, 0, len(in.Peers))
	for _, p := range in.Peers {
		s := e.sight(in, p)
		if s == nil {
			continue
		}
		if s.leads && !p.Leads && !(enough && e.fleeting(s.began)) {
			s.gave = e.clock.now
		}
		if p.Leads && !s.leads {
			s.began = e.clock.now
		}
		if s.note(p); e.live(p, s) {
			peers = append(peers, candidate{p, s})
		}
	}
	e.forget()
	e.crop()
	slices.SortFunc(peers, func(a, b candidate) int { return cmp.Compare(a.ID, b.ID) })
	return peers
}

// sight returns what is remembered of a peer; nil if it is ourselves, or a repetition.
func (e *Election) sight(in Input, p Candidate) *sight {
	if p.ID == in.Self {
		return nil
	}
	s := e.seen[p.ID]
	if s == nil {
		s = &sight{came: e.clock.now}
		e.seen[p.ID] = s
	}
	if s.step == e.steps {
		return nil
	}
	if s.step != e.steps-1 { // it was away
		s.echo = time.Time{}
		if s.leads && p.Leads && e.clock.now.Before(s.left.Add(lastWords)) {
			s.echo = p.LastSeen
		}
		s.came, s.alive, s.stuck, s.rival = e.clock.now, false, time.Time{}, time.Time{}
		s.lag, s.still, s.holds = stall{}, stall{}, stall{}
	}
	s.step = e.steps
	return s
}

func (s *sight) note(p Candidate) {
	if !p.Leads {
		s.idle, s.rival, s.stuck = p.LastSeen, time.Time{}, time.Time{}
		s.lag, s.still, s.holds = stall{}, stall{}, stall{}
	}
	s.leads, s.who = p.Leads, cmp.Or(p.Identity, string(p.ID))
}

// live reports whether the peer's heartbeat is fresh, and notes arrivals: unless we rank before newcomers anyway. A leader whose heartbeats stay away may only be late: that is worth
// waiting a moment, as for a newcomer, and it is looked at again soon: nobody may tell us of a heartbeat that says the same as before.
func (e *Election) live(p Candidate, s *sight) bool {
	alive, before := !e.clock.past(e.stale(p)), s.alive
	switch {
	case alive && !before:
		if e.met = true; !e.led || e.clock.now.Before(e.born.Add(acquaintance)) {
			e.arrived = e.clock.now
		}
	case !alive && before && p.Leads:
		e.arrived = e.clock.now
	}
	if s.alive = alive; !alive && p.Leads {
		e.clock.past(e.clock.now.Add(2 * e.t.Settle))
	}
	return alive
}

// stale is when a peer's heartbeat ceases to be fresh.
func (e *Election) stale(p Candidate) time.Time {
	if p.Leads {
		return p.LastSeen.Add(e.t.silence(p.Near))
	}
	return p.LastSeen.Add(e.t.LeaderAliveThreshold)
}

// fleeting reports whether a lead that began then would be too short to have failed. Whose lead ends like that while enough others lead has
// made way for them, as happens when many start at once, and has not given up.
func (e *Election) fleeting(began time.Time) bool {
	return e.clock.now.Before(began.Add(e.t.LeaderElectionDuration))
}

// enough reports whether as many lead as are to lead.
func (e *Election) enough(in Input) bool {
	leaders := 0
	if e.leading {
		leaders++
	}
	for _, p := range in.Peers {
		if p.Leads && p.ID != in.Self && e.clock.now.Before(e.stale(p)) {
			leaders++
		}
	}
	return leaders >= e.t.Pullers
}

// lastWords is how long after a leader has gone its last heartbeat may still come: gossipsub offers once a second what it has brought to a
// part of the members. A leader that is there says so again.
const lastWords = 2 * time.Second

// doubtful reports whether all that we have heard of a leader since it was gone may be its last word. It is looked at again soon: nobody tells us
// of a heartbeat that says the same as before.
func (e *Election) doubtful(p candidate) bool {
	return !p.echo.IsZero() && p.LastSeen.Equal(p.echo) && !e.clock.past(e.clock.now.Add(2*e.t.Settle))
}

// forget notes who has just gone, and drops who is gone once what it did last says nothing any more.
func (e *Election) forget() {
	for id, s := range e.seen {
		if s.step == e.steps-1 {
			s.left = e.clock.now
		}
		until := later(later(s.gave.Add(e.t.memory()), s.idle.Add(e.t.LeaderAliveThreshold)), s.left.Add(lastWords))
		if s.step != e.steps && !e.clock.now.Before(until) {
			delete(e.seen, id)
		}
	}
}

// maxSights is how many peers are remembered that are not there now: more than an organization has, unless somebody makes
// them up.
const maxSights = 1024

// crop drops those of the absent that were seen longest ago when there are too many.
func (e *Election) crop() {
	var absent []peer.ID
	for id, s := range e.seen {
		if s.step != e.steps {
			absent = append(absent, id)
		}
	}
	if len(absent) <= maxSights {
		return
	}
	slices.SortFunc(absent, func(a, b peer.ID) int {
		return cmp.Or(cmp.Compare(e.seen[a].step, e.seen[b].step), cmp.Compare(a, b))
	})
	for _, id := range absent[:len(absent)-maxSights] {
		delete(e.seen, id)
	}
}

// claims returns who claims to lead, without those that get no blocks or may be dead.
func (e *Election) claims(in Input, peers []candidate) (claims []candidate) {
	for _, p := range peers {
		if p.Leads && !e.doubtful(p) && !e.suspect(in, p, peers) && !e.liar(p.sight) {
			claims = append(claims, p)
		}
	}
	return claims
}

// find returns the candidate with the given ID.
func find(peers []candidate, id peer.ID) (candidate, bool) {
	for _, p := range peers {
		if p.ID == id {
			return p, true
		}
	}
	return candidate{}, false
}
