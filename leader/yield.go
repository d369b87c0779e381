// SPDX-License-Identifier: Apache-2.0

package leader

import "time"

// gives reports whether we have to give the lead up, and why. Somebody else must be there to take it: a leader that nobody can replace goes on
// trying.
func (e *Election) gives(in Input, peers []candidate) (Reason, bool) {
	behind := e.lagging(in, peers)
	stalled := e.still.lasts(&e.clock, in.Highest > in.Height, in.Height, false, e.t.MaxLagTime)
	switch {
	case !e.replaceable(in, peers):
		return "", false
	case !in.CanPull:
		return CannotPull, true
	case behind:
		return Behind, true
	case stalled:
		return Stalled, true
	default:
		return "", false
	}
}

// sitOut decides for one who may not lead: it follows whoever does.
func (e *Election) sitOut(in Input, peers []candidate) Reason {
	if e.leading {
		e.resign()
	}
	if claims := e.claims(in, peers); len(claims) > 0 {
		e.follow(e.foremost(claims))
	} else {
		e.lost(claims)
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

// replaceable reports whether somebody could lead in our place: who leads already could not, unless enough do.
func (e *Election) replaceable(in Input, peers []candidate) bool {
	enough := len(e.claims(in, peers)) >= e.t.Pullers
	for _, p := range peers {
		if !e.passed(p) && (enough || !p.Leads) {
			return true
		}
	}
	return false
}

// suspect reports whether to pass over a leader: one that gets no nearer to blocks that exist, for twice the time after which it should have
// given up by itself, and one that claims more blocks than we have while for as long none comes to us. It counts as one that gave up.
func (e *Election) suspect(in Input, p candidate) bool {
	limit := 2 * e.t.MaxLagTime
	lags := p.lag.lasts(&e.clock, e.behind(p.Height, in.Highest), p.Height, false, limit)
	still := p.still.lasts(&e.clock, in.Highest > p.Height, p.Height, false, limit)
	holds := p.holds.lasts(&e.clock, p.Height > in.Height, in.Height, false, limit)
	if lags || still || holds {
		p.stuck = e.clock.now
	}
	return e.rests(p.stuck)
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
