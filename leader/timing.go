// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Timing says how patient an election is. Keys below peer.gossip.election are Fabric's and bound what is slow; the others are weft's and are
// what decides as long as the network works. A zero field means its default, as in Fabric.
type Timing struct {
	// StartupGracePeriod is the longest wait for a view that does not settle: peer.gossip.election.startupGracePeriod, 15 s.
	StartupGracePeriod time.Duration
	// MembershipSampleInterval: a node that has never met another one of its organization believes after two of them that it is alone, as
	// Fabric does after two equal samples: peer.gossip.election.membershipSampleInterval, 1 s.
	MembershipSampleInterval time.Duration
	// LeaderAliveThreshold is how long a heartbeat proves that its sender leads, or can: peer.gossip.election.leaderAliveThreshold, 10 s. It has
	// to be at least twice the interval of the heartbeats. A lost connection ends the claim at once. Six times it is how long a leader that
	// gave up lets others try.
	LeaderAliveThreshold time.Duration
	// LeaderElectionDuration is the longest wait for each better candidate, and how long a leader whose work ended by itself stands back:
	// peer.gossip.election.leaderElectionDuration, 5 s.
	LeaderElectionDuration time.Duration
	// Turn is how long each better candidate is waited for when a leader has gone, LeaderElectionDuration at most: weft.election.turn, 500 ms.
	// Who leads before the claim of a better one is heard is a second leader for a moment.
	Turn time.Duration
	// LeaderBeat is how often a leader beats on the topic of its organization: weft.election.leaderBeat, 1 s. A leader that was not heard there
	// for three and a half of them is not believed to lead any more, nor is one after LeaderAliveThreshold. All members need the same.
	LeaderBeat time.Duration
	// Pullers is how many members of the organization lead at the same time: weft.election.pullers, 1. All members need the same.
	Pullers int
	// Settle is how long a view must bring nobody new before it counts as complete: weft.election.settle, 500 ms.
	Settle time.Duration
	// MaxLag is how many blocks a peer may be behind before it counts as behind: weft.election.maxLag, 256. It should be more than the channel
	// makes in one heartbeat interval, because the heights of others are that old.
	MaxLag uint64
	// MaxLagTime is how long a leader may be behind without getting nearer: weft.election.maxLagTime, 10 s.
	MaxLagTime time.Duration
	// LookAfter is after how long without a block the members of the channel begin to look at the ordering service themselves, one after
	// another: weft.election.lookAfter, 30 s. Negative: they never do.
	LookAfter time.Duration
}

// DefaultTiming returns the defaults: Fabric's, and weft's for its own keys.
func DefaultTiming() Timing {
	return Timing{
		StartupGracePeriod: 15 * time.Second, MembershipSampleInterval: time.Second,
		LeaderAliveThreshold: 10 * time.Second, LeaderElectionDuration: 5 * time.Second,
		Turn: 500 * time.Millisecond, LeaderBeat: time.Second, Pullers: 1,
		Settle: 500 * time.Millisecond, MaxLag: 256, MaxLagTime: 10 * time.Second, LookAfter: 30 * time.Second,
	}
}

func (t Timing) orDefault() Timing {
	d := DefaultTiming()
	return Timing{
		StartupGracePeriod:       cmp.Or(t.StartupGracePeriod, d.StartupGracePeriod),
		MembershipSampleInterval: cmp.Or(t.MembershipSampleInterval, d.MembershipSampleInterval),
		LeaderAliveThreshold:     cmp.Or(t.LeaderAliveThreshold, d.LeaderAliveThreshold),
		LeaderElectionDuration:   cmp.Or(t.LeaderElectionDuration, d.LeaderElectionDuration),
		Turn:                     cmp.Or(t.Turn, d.Turn),
		LeaderBeat:               cmp.Or(t.LeaderBeat, d.LeaderBeat),
		Pullers:                  cmp.Or(t.Pullers, d.Pullers),
		Settle:                   cmp.Or(t.Settle, d.Settle),
		MaxLag:                   cmp.Or(t.MaxLag, d.MaxLag),
		MaxLagTime:               cmp.Or(t.MaxLagTime, d.MaxLagTime),
		LookAfter:                cmp.Or(t.LookAfter, d.LookAfter),
	}
}

// longest keeps every sum of durations far from overflow.
const longest = 24 * time.Hour

// Validate reports every setting that cannot work, by its key in core.yaml. It judges what it is given together with the defaults of what it
// is not given.
func (t Timing) Validate() error {
	t = t.orDefault()
	var errs []error
	for _, s := range []struct {
		key   string
		value time.Duration
	}{
		{"peer.gossip.election.startupGracePeriod", t.StartupGracePeriod},
		{"peer.gossip.election.membershipSampleInterval", t.MembershipSampleInterval},
		{"peer.gossip.election.leaderAliveThreshold", t.LeaderAliveThreshold},
		{"peer.gossip.election.leaderElectionDuration", t.LeaderElectionDuration},
		{"weft.election.turn", t.Turn},
		{"weft.election.leaderBeat", t.LeaderBeat},
		{"weft.election.settle", t.Settle},
		{"weft.election.maxLagTime", t.MaxLagTime},
		{"weft.election.lookAfter", max(0, t.LookAfter)},
	} {
		if s.value < 0 || s.value > longest {
			errs = append(errs, fmt.Errorf("leader: %s is %s, allowed is 0 (the default) to %s", s.key, s.value, longest))
		}
	}
	if t.Settle > t.StartupGracePeriod {
		errs = append(errs, fmt.Errorf("leader: weft.election.settle is %s, it must not be above peer.gossip.election.startupGracePeriod (%s)",
			t.Settle, t.StartupGracePeriod))
	}
	if t.LeaderBeat > 0 && t.LeaderBeat < minBeat {
		errs = append(errs, fmt.Errorf("leader: weft.election.leaderBeat is %s, at least %s is allowed", t.LeaderBeat, minBeat))
	}
	if t.LookAfter >= 0 && t.LookAfter < minLookAfter {
		errs = append(errs, fmt.Errorf("leader: weft.election.lookAfter is %s, at least %s is allowed, or none", t.LookAfter, minLookAfter))
	}
	if t.Pullers < 1 || t.Pullers > maxPullers {
		errs = append(errs, fmt.Errorf("leader: weft.election.pullers is %d, allowed are 1 to %d", t.Pullers, maxPullers))
	}
	if t.MaxLag > maxLag {
		errs = append(errs, fmt.Errorf("leader: weft.election.maxLag is %d, at most %d is allowed", t.MaxLag, uint64(maxLag)))
	}
	return errors.Join(errs...)
}

// maxLag keeps a height plus the lag from overflowing in practice; a longer lag would mean nothing.
const maxLag = 1 << 32

const (
	// minBeat is as often as heartbeats can be sent, with some room: see membership.Beacon.
	minBeat = 400 * time.Millisecond
	// minLookAfter is as long as a look takes: one after another.
	minLookAfter = lookTime + graceTime
	// maxPullers is more streams than an organization has a use for.
	maxPullers = 16
)

// silence is how long a claim is believed that no further heartbeat repeats: with a member on whose beat we can count, three beats that are
// lost and the fourth that is late.
func (t Timing) silence(near bool) time.Duration {
	if !near {
		return t.LeaderAliveThreshold
	}
	return min(t.LeaderAliveThreshold, 7*t.LeaderBeat/2)
}

// rest is how long a leader that gave up lets the others try. Fabric's factor.
func (t Timing) rest() time.Duration { return 6 * t.LeaderAliveThreshold }

// memory is how long a leader that gave up is less preferred than those that did not: so that even in a big organization everybody is tried
// before anybody is tried again.
func (t Timing) memory() time.Duration { return 10 * t.rest() }
