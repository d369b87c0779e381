// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Candidate is a living member of our organization in the channel, as its newest heartbeat shows it.
type Candidate struct {
	ID       peer.ID
	Height   uint64    // number of blocks it claims to have
	Leads    bool      // it claims to lead
	Identity string    // who it is, whatever its host key; "": ID says it
	Near     bool      // it is heard on the topic of our organization, on which a leader beats every LeaderBeat
	LastSeen time.Time // when that heartbeat came, by the clock of [Election.Step]'s now
}

// Input is what an election decides upon.
type Input struct {
	Self   peer.ID
	Height uint64 // our number of blocks
	// Highest is the greatest height that we believe to exist in the channel, of any organization; 0 if nothing is known. Whoever can set it
	// can make leaders change, once in MaxLagTime at most: better the number of a verified header than a claim.
	Highest uint64
	// CanPull says that our source of blocks works or has not been tried. It is false when the source has been failing for a while.
	CanPull bool
	// Barred says that our own identity may not act: it has expired, or was revoked. We do not lead then, even when nobody else is there.
	Barred bool
	// Joining says that our view is known not to be complete: the first connections are still being made. The election then waits,
	// StartupGracePeriod at most, and after it as if it began then.
	Joining bool
	Peers   []Candidate // all others, in any order; who has died or left is not among them

	Moved time.Time // when Height last grew, by the clock of Step's now; zero: not since the first Step
	Head  []byte    // hash of our newest block's header: it draws the order in which members look
	Org   string    // our organization
	Orgs  []string  // the others that have living members in the channel, each once
}

// known is what of a claimed height is known to exist: nobody gives way to a height that somebody makes up.
func (in Input) known(claim uint64) uint64 {
	if in.Highest == 0 {
		return claim
	}
	return min(claim, max(in.Highest, in.Height))
}

// Decision is what [Election.Step] answers.
type Decision struct {
	Lead   bool    // we lead: pull, and say so in our heartbeats
	First  bool    // of those who lead, we are the first: that one announces blocks, the others make up for it
	Leader peer.ID // who leads as far as we know, ourselves included; "" if nobody does
	// Tell says that a heartbeat should go out now: Lead has changed, or another leader does not seem to know that we stay.
	Tell bool
	// Look says that it is time to look at the ordering service ourselves. It is said once; [Election.Looked] ends the look.
	Look   bool
	Wake   time.Time // Step must run again then, even if nothing has happened; zero: never
	Reason Reason
}

// Reason says in words why a decision is as it is, for logs and status pages.
type Reason string

// The reasons. The last six are why a leader steps down.
const (
	Settling   Reason = "waiting for a complete view"
	Waiting    Reason = "waiting for a better candidate"
	Resting    Reason = "letting others try"
	Following  Reason = "following the leader"
	Leading    Reason = "leading"
	Outranked  Reason = "another leader stays"
	CannotPull Reason = "the ordering service cannot be reached"
	Behind     Reason = "too far behind"
	Stalled    Reason = "blocks exist that do not come in"
	Barred     Reason = "our own identity may not act as a peer"
	Stopped    Reason = "stopping"
)

// Election decides who of an organization leads in one channel. It is pure: it reads no clock, starts nothing, and may be used by one
// goroutine at a time. All members run the same rules on nearly the same view; where views differ for a moment there may be two leaders, or
// none, which costs bandwidth or time and never blocks, because blocks prove themselves.
//
// The rules are in docs/spec/election.md. Files: timing.go settings, sight.go what is remembered of others, rank.go who is better, stand.go
// the way to the lead, hold.go keeping it against other leaders, yield.go giving it up, lookout.go and caught.go finding a leader out.
type Election struct {
	t     Timing
	clock clock
	seen  map[peer.ID]*sight
	steps uint64

	lookout lookout
	caught  map[string]catch // by identity

	leader  peer.ID   // whom we follow, ourselves when we lead
	leading bool      // we lead
	since   time.Time // of our lead
	told    time.Time // when our claim was last worth a heartbeat
	gave    time.Time // when we last gave the lead up; zero: never
	pause   time.Time // until then we do not lead even alone
	lag     stall     // of our own height, far behind
	still   stall     // of our own height, behind at all

	born    time.Time // of the first Step
	met     bool      // there was somebody else once
	led     bool      // somebody has led
	arrived time.Time // when the view last gained somebody, or a claim went stale
	without time.Time // since when fewer than Pullers have led; zero: enough do
	opened  time.Time // since when candidates stand, in order; zero: not yet
}

// NewElection returns an election in which nothing is known, or what is wrong with the timing.
func NewElection(t Timing) (*Election, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	return &Election{t: t.orDefault(), seen: make(map[peer.ID]*sight), caught: make(map[string]catch)}, nil
}

// Step looks at the world as it is now and decides. It is to be called when anything in the Input has changed, and at the Wake of the
// decision before. A now before that of an earlier Step counts as that one.
func (e *Election) Step(now time.Time, in Input) Decision {
	e.clock.start(now)
	if e.steps == 0 {
		e.born = e.clock.now
	}
	if e.steps == 0 || in.Joining { // whom we find is about to come
		e.arrived = e.clock.now
	}
	peers := e.view(in)
	reason := e.decide(in, peers)
	look := reason == Following && e.looks(in, peers)
	tell := e.told.Equal(e.clock.now)
	return Decision{Lead: e.leading, First: e.leading && e.first(in), Leader: e.leader, Tell: tell, Look: look, Wake: e.clock.wake, Reason: reason}
}

func (e *Election) decide(in Input, peers []candidate) Reason {
	if in.Barred {
		return e.sitOut(in, peers)
	}
	if !e.leading {
		return e.stand(in, peers)
	}
	rival, lost := e.outranked(in, peers)
	if lost {
		e.yield(rival)
		return Outranked
	}
	if why, gone := e.gives(in, peers); gone {
		e.resign()
		e.stand(in, peers) // for its deadlines: somebody else is better for now
		return why
	}
	return Leading
}

// Yield steps down because leading has failed by itself: others are to try, and if there is nobody else, we ourselves after
// LeaderElectionDuration. Step must follow.
func (e *Election) Yield(now time.Time) {
	e.clock.start(now)
	e.pause = e.clock.now.Add(e.t.LeaderElectionDuration)
	e.resign()
}

// clock is the time of one Step, and the earliest of the deadlines that were looked at and have not come.
type clock struct{ now, wake time.Time }

func (c *clock) start(now time.Time) {
	if now.After(c.now) {
		c.now = now
	}
	c.wake = time.Time{}
}

// past reports whether a deadline has come. If not, it wakes us.
func (c *clock) past(deadline time.Time) bool {
	if !c.now.Before(deadline) {
		return true
	}
	if c.wake.IsZero() || deadline.Before(c.wake) {
		c.wake = deadline
	}
	return false
}
