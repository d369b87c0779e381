// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

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

// replaceable reports whether somebody could lead in our place: somebody for whom no place is free already. Where more lead than are to be, it
// is whoever has not given up.
func (e *Election) replaceable(in Input, peers []candidate) bool {
	free := e.t.Pullers - 1 - len(e.claims(in, peers))
	able := 0
	for _, p := range peers {
		if !e.passed(p) && (free < 0 || !p.Leads) {
			able++
		}
	}
	return able > max(0, free)
}

// suspect reports whether to pass over a leader: one that gets no nearer to blocks that exist, for twice the time after which it should have
// given up by itself, and one that claims more blocks than we have while for as long none comes to us, nor to most of the others. It counts as
// one that gave up.
func (e *Election) suspect(in Input, p candidate, peers []candidate) bool {
	limit := 2 * e.t.MaxLagTime
	lags := p.lag.lasts(&e.clock, e.behind(p.Height, in.Highest), p.Height, false, limit)
	still := p.still.lasts(&e.clock, in.Highest > p.Height, p.Height, false, limit)
	holds := p.holds.lasts(&e.clock, p.Height > in.Height && !mostHave(in.Height+1, p, peers), in.Height, false, limit)
	if lags || still || holds {
		p.stuck = e.clock.now
	}
	return e.rests(p.stuck)
}

// mostHave reports whether most of the peers besides p claim a height.
func mostHave(height uint64, p candidate, peers []candidate) bool {
	have, others := 0, 0
	for _, o := range peers {
		if o.ID == p.ID {
			continue
		}
		if others++; o.Height >= height {
			have++
		}
	}
	return 2*have > others
}

// resign gives the lead up, so that others try.
func (e *Election) resign() {
	e.makeWay()
	e.gave = e.clock.now
}

// yield ends our lead in favour of another leader.
func (e *Election) yield(to peer.ID) {
	if e.makeWay(); !e.fleeting(e.since) {
		e.gave = e.clock.now
	}
	e.follow(to)
}

// makeWay ends our lead for others who lead.
func (e *Election) makeWay() {
	e.leading, e.leader, e.told = false, "", e.clock.now
	e.without, e.opened = e.clock.now, time.Time{}
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
