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
	claims := e.claims(in, peers)
	if len(claims) >= e.t.Pullers {
		e.follow(e.foremost(claims))
		return Following
	}
	e.lost(claims)
	if e.alone(in, peers) {
		e.lead(in.Self)
		return Leading
	}
	if !e.settled(in) {
		return Settling
	}
	if e.opened.IsZero() {
		e.opened = e.clock.now
	}
	places := e.t.Pullers - len(claims)
	ahead := max(0, e.rank(in, peers, claims)-places+1)
	turn := e.opened.Add(time.Duration(ahead) * e.patience(in))
	if !e.clock.past(turn) || !e.clock.past(e.pause) {
		if e.retired(in) {
			return Resting
		}
		return Waiting
	}
	e.lead(in.Self)
	return Leading
}

// patience is how long we wait for each better candidate: Turn when a leader has gone, since those who followed it have met. When nobody has
// led yet, some have just started; and who could not do it a moment ago gives the others all the time there is.
func (e *Election) patience(in Input) time.Duration {
	if !e.led || e.retired(in) {
		return e.t.LeaderElectionDuration
	}
	return min(e.t.Turn, e.t.LeaderElectionDuration)
}

// foremost returns who of those who claim to lead is followed: whom we follow already, else the best; "" if there is none.
func (e *Election) foremost(claims []candidate) peer.ID {
	if len(claims) == 0 {
		return ""
	}
	if _, ok := find(claims, e.leader); ok {
		return e.leader
	}
	return slices.MinFunc(claims, func(a, b candidate) int {
		return cmp.Or(
			compareBool(e.behind(a.Height, b.Height), e.behind(b.Height, a.Height)),
			cmp.Compare(a.ID, b.ID),
		)
	}).ID
}

// lost notes the beginning of a time with too few leaders.
func (e *Election) lost(claims []candidate) {
	if e.leader = e.foremost(claims); e.without.IsZero() {
		e.without, e.opened = e.clock.now, time.Time{}
	}
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
	e.leader, e.led = id, true
	e.without, e.opened = time.Time{}, time.Time{}
}

func (e *Election) lead(self peer.ID) {
	e.follow(self)
	e.leading, e.since, e.told = true, e.clock.now, e.clock.now
	e.lag, e.still = stall{}, stall{}
	for _, s := range e.seen {
		s.rival = time.Time{}
	}
	e.repeat(true)
}
