// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// outranked returns the other leader for which we have to step down.
func (e *Election) outranked(in Input, peers []candidate) (peer.ID, bool) {
	alone := true
	for _, p := range e.claims(in, peers) {
		if p.rival.IsZero() {
			p.rival = e.clock.now
		}
		if !e.prevails(in, p) {
			return p.ID, true
		}
		alone = false
	}
	e.repeat(alone)
	return "", false
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
