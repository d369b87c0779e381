// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// sight is what an election remembers of another peer.
type sight struct {
	step  uint64    // the latest Step that saw it
	alive bool      // its heartbeat was fresh then
	leads bool      // what it claimed then
	idle  time.Time // the latest heartbeat without the claim; zero: none
	out   time.Time // until then others are better: it gave the lead up
	rival time.Time // since when it has led beside us; zero: it does not
	lag   stall     // of its height while it leads
	stuck bool      // it leads and gets no blocks
}

// candidate is a peer whose heartbeat is fresh.
type candidate struct {
	Candidate
	*sight
}

// claims reports whether it is to be taken for a leader.
func (c candidate) claims() bool { return c.Leads && !c.stuck }

// look compares the view with what is remembered and returns the peers whose heartbeats are fresh.
func (e *Election) look(in Input) []candidate {
	e.steps++
	peers := make([]candidate, 0, len(in.Peers))
	var quit []*sight
	leaders := e.leading
	for _, p := range in.Peers {
		s := e.sight(in, p)
		if s == nil {
			continue
		}
		if s.leads && !p.Leads {
			quit = append(quit, s)
		}
		if s.note(p); e.live(p, s) {
			peers = append(peers, candidate{p, s})
			leaders = leaders || p.Leads
		}
	}
	if !leaders { // else it made room for another leader
		for _, s := range quit {
			s.out = e.clock.now.Add(e.t.rest())
		}
	}
	e.forget()
	return peers
}

// sight returns what is remembered of a peer; nil if it is ourselves, or a repetition.
func (e *Election) sight(in Input, p Candidate) *sight {
	s := e.seen[p.ID]
	if s == nil {
		s = &sight{}
		e.seen[p.ID] = s
	}
	if p.ID == in.Self || s.step == e.steps {
		return nil
	}
	s.alive = s.alive && s.step == e.steps-1
	s.step = e.steps
	return s
}

func (s *sight) note(p Candidate) {
	if p.Leads {
		s.out = time.Time{} // it dares to try again
	} else {
		s.idle, s.rival, s.lag, s.stuck = p.LastSeen, time.Time{}, stall{}, false
	}
	s.leads = p.Leads
}

// live reports whether the peer's heartbeat is fresh, and notes arrivals.
func (e *Election) live(p Candidate, s *sight) bool {
	alive := !e.clock.past(p.LastSeen.Add(e.t.LeaderAliveThreshold))
	if alive && !s.alive {
		e.arrived, e.met = e.clock.now, true
	}
	s.alive = alive
	return alive
}

// forget drops who is gone, once what it did last says nothing any more.
func (e *Election) forget() {
	for id, s := range e.seen {
		if s.step != e.steps && !e.clock.now.Before(s.out) && !e.clock.now.Before(s.idle.Add(e.t.LeaderAliveThreshold)) {
			delete(e.seen, id)
		}
	}
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
