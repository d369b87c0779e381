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
	// LeaderElectionDuration is how long each better candidate is waited for: peer.gossip.election.leaderElectionDuration, 5 s.
	LeaderElectionDuration time.Duration
	// Settle is how long a view must bring nobody new before it counts as complete: weft.election.settle, 500 ms.
	Settle time.Duration
	// MaxLag is how many blocks a peer may be behind before it counts as behind: weft.election.maxLag, 256. It should be more than the channel
	// makes in one heartbeat interval, because the heights of others are that old.
	MaxLag uint64
	// MaxLagTime is how long a leader may be behind without getting nearer: weft.election.maxLagTime, 10 s.
	MaxLagTime time.Duration
}

// DefaultTiming returns the defaults: Fabric's, and weft's for its own keys.
func DefaultTiming() Timing {
	return Timing{
		StartupGracePeriod: 15 * time.Second, MembershipSampleInterval: time.Second,
		LeaderAliveThreshold: 10 * time.Second, LeaderElectionDuration: 5 * time.Second,
		Settle: 500 * time.Millisecond, MaxLag: 256, MaxLagTime: 10 * time.Second,
	}
}

func (t Timing) orDefault() Timing {
	d := DefaultTiming()
	return Timing{
		StartupGracePeriod:       cmp.Or(t.StartupGracePeriod, d.StartupGracePeriod),
		MembershipSampleInterval: cmp.Or(t.MembershipSampleInterval, d.MembershipSampleInterval),
		LeaderAliveThreshold:     cmp.Or(t.LeaderAliveThreshold, d.LeaderAliveThreshold),
		LeaderElectionDuration:   cmp.Or(t.LeaderElectionDuration, d.LeaderElectionDuration),
		Settle:                   cmp.Or(t.Settle, d.Settle),
		MaxLag:                   cmp.Or(t.MaxLag, d.MaxLag),
		MaxLagTime:               cmp.Or(t.MaxLagTime, d.MaxLagTime),
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
		{"weft.election.settle", t.Settle},
		{"weft.election.maxLagTime", t.MaxLagTime},
	} {
		if s.value < 0 || s.value > longest {
			errs = append(errs, fmt.Errorf("leader: %s is %s, allowed is 0 (the default) to %s", s.key, s.value, longest))
		}
	}
	if t.Settle > t.StartupGracePeriod {
		errs = append(errs, fmt.Errorf("leader: weft.election.settle is %s, it must not be above peer.gossip.election.startupGracePeriod (%s)",
			t.Settle, t.StartupGracePeriod))
	}
	if t.MaxLag > maxLag {
		errs = append(errs, fmt.Errorf("leader: weft.election.maxLag is %d, at most %d is allowed", t.MaxLag, uint64(maxLag)))
	}
	return errors.Join(errs...)
}

// maxLag keeps a height plus the lag from overflowing in practice; a longer lag would mean nothing.
const maxLag = 1 << 32

// rest is how long a leader that gave up lets the others try. Fabric's factor.
func (t Timing) rest() time.Duration { return 6 * t.LeaderAliveThreshold }

// memory is how long a leader that gave up is less preferred than those that did not: so that even in a big organization everybody is tried
// before anybody is tried again.
func (t Timing) memory() time.Duration { return 10 * t.rest() }
