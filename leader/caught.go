// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"maps"
	"time"
)

// maxLength bounds for how many times a first length a liar is passed over.
const maxLength = 8

// catch is one whom a look of ours has caught at leading without bringing what the ordering service has. It is held against whoever it is,
// whatever host key it takes and whatever it claims in between.
type catch struct {
	at     time.Time
	length time.Duration // for which it is passed over
}

func (c catch) until() time.Time { return c.at.Add(c.length) }

// catch passes those over who led when a look began and still do: they have not told of what we found. Each time that it happens again, for
// twice as long.
func (e *Election) catch(begun time.Time) {
	maps.DeleteFunc(e.caught, func(_ string, c catch) bool { return e.clock.now.After(c.until().Add(e.t.memory())) })
	for _, s := range e.seen {
		if s.step != e.steps || !s.alive || !s.leads || !s.began.Before(begun) || len(e.caught) >= maxSights {
			continue
		}
		length := min(max(e.t.memory(), 2*e.caught[s.who].length), maxLength*e.t.memory())
		e.caught[s.who] = catch{e.clock.now, length}
	}
}

// liar reports whether somebody has been caught and is still to be passed over.
func (e *Election) liar(s *sight) bool {
	c, ok := e.caught[s.who]
	return ok && !e.clock.past(c.until())
}

// alone reports whether we are to lead at once, because we alone know that a leader is none: we have seen what it keeps back, and have not
// failed ourselves since. Nobody else will take its place.
func (e *Election) alone(in Input, peers []candidate) bool {
	for _, p := range peers {
		if p.Leads && e.liar(p.sight) && e.caught[p.who].at.After(e.gave) {
			return in.CanPull && e.clock.past(e.pause)
		}
	}
	return false
}
