// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"slices"
	"time"
)

// The floor is the least time from a block's announcement to the last of its pieces, as far as one receiver can tell:
//
//	hop + size / rate
//
// A block of S bytes is with everybody S/U + 2l after its source has it, over links of U with one-way latency l: each piece
// crosses two hops, and each link carries all of them (ADR 025). The announcement crosses one hop, and starts the clock here, so
// that one hop and S/U are left. The rate is what blocks have come at lately: what slows all of them alike does not show in
// how far they are from the floor.

const (
	// paceBlocks is how many bodies the rate is taken from: the latest.
	paceBlocks = 32
	// paceBytes is how much must have come for a rate, in bytes: less may be a burst out of some buffer.
	paceBytes = 32 << 10
)

// course is how a body has come. Pieces that a receiver is to forward come from the source itself; it is those that others
// have forwarded by which it sees how fast the network is.
type course struct {
	heard   time.Time // the announcement
	first   time.Time // the first piece
	from    time.Time // the first piece that another member had forwarded, or the first of all until there is one
	before  int       // bytes that were here then
	relayed bool      // there was one
}

// came notes that a piece has come, from another member than the announcers or not, and how many bytes are here with it.
func (c *course) came(at time.Time, bytes int, relayed bool) {
	if c.first.IsZero() {
		c.first = at
		c.from, c.before = at, bytes
	}
	if relayed && !c.relayed {
		c.from, c.before, c.relayed = at, bytes, true
	}
}

// start is when the clock of the block begins: pieces may overtake an announcement.
func (c *course) start() time.Time {
	if c.first.Before(c.heard) {
		return c.first
	}
	return c.heard
}

// hop is how much later than the announcement pieces could come that crossed a hop more, where the usual one takes so long. It is
// less if the first of them came sooner, over shorter hops, and nothing if there was none.
func (c *course) hop(usual time.Duration) time.Duration {
	if !c.relayed {
		return 0
	}
	return max(0, min(usual, c.from.Sub(c.start())))
}

// pace is how fast bodies have come lately. The zero value has seen none.
type pace struct {
	rates []float64 // bytes per second, the oldest first
	// rate is what a quarter of the bodies came at, or faster: the best of all may be a burst, others had a slow source. 0 if there
	// was none.
	rate float64
}

func (p *pace) add(rate float64) {
	if len(p.rates) == paceBlocks {
		p.rates = slices.Delete(p.rates, 0, 1)
	}
	p.rates = append(p.rates, rate)
	sorted := slices.Sorted(slices.Values(p.rates))
	p.rate = sorted[len(sorted)*3/4]
}

// distance adds to a complete body how long it took, and how long it could have: never longer than it did.
func (m *Machine) distance(b *block, c *Complete) {
	hop, rest := b.course.hop(m.hop), float64(b.Size-b.course.before)
	if took := m.now.Sub(b.course.from); took > 0 && rest >= paceBytes {
		m.pace.add(rest / took.Seconds())
	}
	c.Took, c.Floor = m.now.Sub(b.course.start()), hop
	if rate := m.pace.rate; rate > 0 {
		c.Floor += time.Duration(min(rest/rate*float64(time.Second), float64(c.Took-hop)))
	}
}
