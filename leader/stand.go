// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// stand decides for one who does not lead: follow, wait or lead.
func (e *Election) stand(in Input, peers []candidate) Reason {
	if id, ok := e.claimant(in, peers); ok {
		e.follow(id)
		return Following
	}
	e.lost(peers)
	if !e.settled(in) {
		return Settling
	}
	if e.opened.IsZero() {
		e.opened = e.clock.now
	}
	ahead := e.rank(in, peers)
	turn := e.opened.Add(time.Duration(ahead) * e.t.LeaderElectionDuration)
	if !e.clock.past(turn) || !e.clock.past(e.pause) {
		if e.retired(in) {
			return Resting
		}
		return Waiting
	}
	e.lead(in.Self)
	return Leading
}

// claimant returns who leads: whom we follow if it still claims, else the best of those who claim.
func (e *Election) claimant(in Input, peers []candidate) (peer.ID, bool) {
	claims := e.claims(in, peers)
	if len(claims) == 0 {
		return "", false
	}
	if _, ok := find(claims, e.leader); ok {
		return e.leader, true
	}
	return slices.MinFunc(claims, func(a, b candidate) int {
		return cmp.Or(
			compareBool(e.behind(a.Height, b.Height), e.behind(b.Height, a.Height)),
			cmp.Compare(a.ID, b.ID),
		)
	}).ID, true
}

// lost notes the beginning of a time without a leader. A leader whose heartbeats stay away may only be late: that is worth waiting a moment,
// as for a newcomer. One that is gone is not.
func (e *Election) lost(peers []candidate) {
	if !e.without.IsZero() {
		return
	}
	e.without, e.opened = e.clock.now, time.Time{}
	if s := e.seen[e.leader]; s != nil && s.step == e.steps && !s.alive {
		e.arrived = e.clock.now
	}
	e.leader = ""
}

// settled reports whether those whom we see are all who are there, as far as one can know.
func (e *Election) settled(in Input) bool {
	if e.clock.past(e.without.Add(e.t.StartupGracePeriod)) {
		return true
	}
	quiet := e.t.Settle
	if !e.met {
		quiet = max(quiet, 2*e.t.MembershipSampleInterval)
	}
	return !in.Joining && e.clock.past(e.arrived.Add(quiet))
}

func (e *Election) follow(id peer.ID) {
	e.leader = id
	e.without, e.opened = time.Time{}, time.Time{}
}

func (e *Election) lead(self peer.ID) {
	e.follow(self)
	e.leading, e.since, e.told = true, e.clock.now, e.clock.now
	e.lag = stall{}
	for _, s := range e.seen {
		s.rival = time.Time{}
	}
	e.repeat(true)
}
