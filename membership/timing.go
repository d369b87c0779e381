// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"errors"
	"fmt"
	"time"
)

// Timing says when silence means death. The rules and defaults are Fabric's.
type Timing struct {
	// AliveInterval is the time between two heartbeats:
	// peer.gossip.aliveTimeInterval, 5 s.
	AliveInterval time.Duration
	// AliveExpiration is the silence after which a member counts as dead:
	// peer.gossip.aliveExpirationTimeout, 25 s. It is the bound for silent
	// failures; a connection that breaks is noticed at once (View.Unreachable).
	AliveExpiration time.Duration
	// ExpirationFactor times AliveExpiration after its last heartbeat a member
	// is forgotten: peer.gossip.msgExpirationFactor, 20 (hence 500 s).
	ExpirationFactor int
}

// DefaultTiming returns the defaults of Fabric's core.yaml.
func DefaultTiming() Timing {
	return Timing{AliveInterval: 5 * time.Second, AliveExpiration: 25 * time.Second, ExpirationFactor: 20}
}

// maxExpiration keeps every sum of durations far from overflow.
const maxExpiration = 24 * time.Hour

// Validate reports every setting that cannot work, by its core.yaml key.
func (t Timing) Validate() error {
	var errs []error
	if t.AliveInterval <= 0 {
		errs = append(errs, fmt.Errorf("membership: peer.gossip.aliveTimeInterval is %s, it must be positive", t.AliveInterval))
	}
	if t.AliveExpiration < 2*t.AliveInterval {
		errs = append(errs, fmt.Errorf("membership: peer.gossip.aliveExpirationTimeout is %s, it must be at least twice peer.gossip.aliveTimeInterval (%s), or one lost heartbeat kills a member",
			t.AliveExpiration, t.AliveInterval))
	}
	if t.AliveExpiration > maxExpiration {
		errs = append(errs, fmt.Errorf("membership: peer.gossip.aliveExpirationTimeout is %s, at most %s is allowed", t.AliveExpiration, maxExpiration))
	}
	if t.ExpirationFactor < 2 || t.ExpirationFactor > 10_000 {
		errs = append(errs, fmt.Errorf("membership: peer.gossip.msgExpirationFactor is %d, allowed are 2 to 10000", t.ExpirationFactor))
	}
	return errors.Join(errs...)
}

// crowd is from how many members on heartbeats come less often.
const crowd = 32

// Pace is the time between two heartbeats to so many members: AliveInterval, and among more than 32 longer in proportion, by half at
// most. What a member costs the others grows with their number until then. Three of them, a tenth late each, come within AliveExpiration,
// so that two in a row may be lost, and one comes before a suspect dies.
func (t Timing) Pace(members int) time.Duration {
	longest := max(t.AliveInterval, min(t.AliveInterval*3/2, t.AliveExpiration*3/10))
	return min(longest, t.AliveInterval*time.Duration(max(members, crowd))/crowd)
}

// Quiet is the time between two heartbeats to members who hear us on another topic, too: with a tenth more, it is below AliveExpiration.
func (t Timing) Quiet() time.Duration { return t.AliveExpiration * 7 / 8 }

// fading is the silence after which what one topic said about a member counts no more, while the other goes on: of three
// heartbeats to a topic that is quiet, two may be lost.
func (t Timing) fading() time.Duration { return 3 * t.AliveExpiration }

// suspicion is how long a member that was heard again after it seemed
// unreachable may be silent before the next report is believed.
func (t Timing) suspicion() time.Duration { return 2 * t.AliveInterval }

func (t Timing) purge() time.Duration {
	return t.AliveExpiration * time.Duration(t.ExpirationFactor)
}

// clock makes time run forward: when the caller's clock jumps back, the jump
// counts as no time at all and time goes on from there.
type clock struct {
	last   time.Time     // latest reading, as the caller gave it
	behind time.Duration // how far the caller's clock has been set back so far
}

// at converts the caller's time; results never decrease.
func (c *clock) at(now time.Time) time.Time {
	if now.Before(c.last) {
		c.behind += c.last.Sub(now)
	}
	c.last = now
	return now.Add(c.behind)
}

// outside converts a result of at back to the caller's clock.
func (c *clock) outside(t time.Time) time.Time { return t.Add(-c.behind) }
