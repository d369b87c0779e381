// SPDX-License-Identifier: Apache-2.0

package leader

import "time"

// gives reports whether we have to give the lead up, and why. Somebody else must be there to take it: a leader that nobody can replace goes on
// trying.
func (e *Election) gives(in Input, peers []candidate) (Reason, bool) {
	behind := e.lagging(in, peers)
	switch {
	case !e.replaceable(peers):
		return "", false
	case !in.CanPull:
		return CannotPull, true
	case behind:
		return Behind, true
	default:
		return "", false
	}
}

// sitOut decides for one who may not lead: it follows whoever does.
func (e *Election) sitOut(in Input, peers []candidate) Reason {
	if e.leading {
		e.resign()
	}
	if id, ok := e.claimant(in, peers); ok {
		e.follow(id)
	} else {
		e.lost(peers)
	}
	return Barred
}

// lagging reports whether we have been far behind the channel for too long. Coming nearer counts, unless one of us is there already.
func (e *Election) lagging(in Input, peers []candidate) bool {
	hopeless := false
	for _, p := range peers {
		hopeless = hopeless || e.behind(in.Height, in.known(p.Height)) && !e.passed(p)
	}
	return e.lag.lasts(&e.clock, e.behind(in.Height, in.Highest), in.Height, hopeless, e.t.MaxLagTime)
}

func (e *Election) replaceable(peers []candidate) bool {
	for _, p := range peers {
		if !e.passed(p) {
			return true
		}
	}
	return false
}

// suspect reports whether to pass over a leader that reports a height far behind the channel and gets no nearer, for twice the time after which it should have
// given up by itself.
func (e *Election) suspect(in Input, p candidate) bool {
	p.stuck = p.lag.lasts(&e.clock, e.behind(p.Height, in.Highest), p.Height, false, 2*e.t.MaxLagTime)
	return p.stuck
}

func (e *Election) resign() {
	e.leading, e.leader, e.told = false, "", e.clock.now
	e.without, e.opened = e.clock.now, time.Time{}
	e.gave = e.clock.now
}

// stall measures how long a height has been behind without growing.
type stall struct {
	since  time.Time // zero: it is not behind
	height uint64
}

// lasts reports whether that has gone on for limit. With hopeless, growing is not enough.
func (s *stall) lasts(c *clock, behind bool, height uint64, hopeless bool, limit time.Duration) bool {
	if !behind {
		*s = stall{}
		return false
	}
	if s.since.IsZero() || height > s.height && !hopeless {
		s.since = c.now
	}
	s.height = height
	return c.past(s.since.Add(limit))
}
