// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// holdUp is until when those who were asked for the next number have time. Who has had hedgeMin without bringing a block, or
// to bring its blocks much slower than others do, has held up the chain.
func (p *Planner) holdUp(now time.Time, asked []*flight) (due time.Time) {
	for _, f := range asked {
		moved := p.moved(f)
		if moved.After(due) {
			due = moved
		}
		if h := p.holders[f.Peer]; h != nil && !f.held && !now.Before(moved.Add(hedgeMin)) {
			f.held = true
			h.stall(now)
		}
	}
	return due.Add(min(hedgeMax, hedgeMin<<min(len(asked)-1, 8)))
}

// moved is when a flight last brought something, but no later than so many blocks may take.
func (p *Planner) moved(f *flight) time.Time {
	if p.pace == 0 {
		return f.since
	}
	return earlier(f.since, f.start.Add(time.Duration(f.got)*slowFactor*max(p.pace, leastPace)))
}

// better says whether a peer that could be asked has served us better than any that was: then there is no reason to wait.
func (p *Planner) better(now time.Time, id peer.ID, asked []*flight) bool {
	could := p.holders[id]
	return could != nil && !slices.ContainsFunc(asked, func(f *flight) bool {
		h := p.holders[f.Peer]
		return h != nil && h.blame(now, p.pace) <= could.blame(now, p.pace)
	})
}

// paced notes how fast a fetch was. The best pace of all follows who is faster at once, and who is slower by and by.
func (p *Planner) paced(now time.Time, f *flight, r Result) {
	if r.Got == 0 {
		return
	}
	took := now.Sub(f.start)
	if h := p.holders[f.Peer]; h != nil {
		h.took(took, r.Got)
	}
	pace := max(1, took/time.Duration(r.Got))
	if p.pace > 0 {
		pace = min(pace, p.pace+p.pace/8+1)
	}
	p.pace = pace
}
