// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// outranked returns the other leader for which we have to step down: when as many prevail over us as there are to be.
func (e *Election) outranked(in Input, peers []candidate) (rival peer.ID, lost bool) {
	claims, over := e.claims(in, peers), 0
	for _, p := range claims {
		if p.rival.IsZero() {
			p.rival = e.clock.now
		}
		if !e.prevails(in, p) {
			if over++; over == 1 {
				rival = p.ID
			}
		}
	}
	if over >= e.t.Pullers {
		return rival, true
	}
	e.repeat(len(claims) < e.t.Pullers)
	return "", false
}

// first reports whether no other leader has a lower ID, as far as we believe them.
func (e *Election) first(in Input) bool {
	for id, s := range e.seen {
		if s.step == e.steps && s.alive && s.leads && !e.rests(s.stuck) && !e.liar(s) && id < in.Self {
			return false
		}
	}
	return true
}

// repeat makes our claim heard: once more after it was new, and for as long as somebody who should step down for us does not.
func (e *Election) repeat(alone bool) {
	if alone && e.told.After(e.since) {
		return
	}
	if e.clock.past(e.told.Add(2 * e.t.Settle)) {
		e.told = e.clock.now
	}
}

// prevails reports whether we stay when p leads as well. Both sides judge by what they know, so whoever thinks that it stays watches the other
// go; if the other does not go for LeaderAliveThreshold, they see things differently, and the lower ID alone decides.
func (e *Election) prevails(in Input, p candidate) bool {
	lower := in.Self < p.ID
	switch {
	case e.behind(in.Height, in.known(p.Height)):
		return false
	case !lower && e.clock.past(p.rival.Add(e.t.LeaderAliveThreshold)):
		return false
	case e.behind(p.Height, in.Height):
		return true
	}
	old := !p.rival.Before(e.since.Add(e.t.LeaderAliveThreshold))
	switch e.tenure(p) {
	case young:
		return old || lower
	case grown:
		return old && lower
	default: // it may have led for long before we met, or have begun as we have, and then it goes soon
		return lower && (old || !e.clock.past(p.rival.Add(2*e.t.Settle)))
	}
}

// tenure is how long another leader had led when its claim met ours.
type tenure int

const (
	unknown tenure = iota // it led when we met it
	young                 // for less than LeaderAliveThreshold: it was seen without the claim
	grown                 // longer
)

// tenure tells an election gone double from a newcomer that has not heard of the leader: the second must not displace it, whatever its ID.
func (e *Election) tenure(p candidate) tenure {
	switch {
	case p.idle == time.Time{}:
		return unknown
	case p.rival.Before(p.idle.Add(e.t.LeaderAliveThreshold)):
		return young
	default:
		return grown
	}
}
