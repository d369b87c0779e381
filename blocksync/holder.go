// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"cmp"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// maxHolders is how many peers' claims are remembered; more are not needed to find a block.
	maxHolders = 1024
	// A peer that failed is not asked for penaltyMin, doubled with each further failure up to penaltyMax. A lie counts as
	// many failures as lieFailures. After giveUp failures its claim is forgotten until it makes a new one.
	penaltyMin, penaltyMax = 200 * time.Millisecond, 30 * time.Second
	lieFailures, giveUp    = 4, 8
	// maxSentOn is how often a peer may send us to somebody else before that counts as a failure.
	maxSentOn = 4
)

// holder is what the planner knows of a peer.
type holder struct {
	height   uint64 // it says that it has all blocks below
	failures int    // since one of its blocks was committed
	proved   int    // how often blocks of its were committed
	barred   time.Time
	seen     uint64 // order of the last sign of life: the latest is asked first
	sentOn   int    // how often it sent us to somebody else since one of its blocks was committed
}

// done takes the end of a fetch. What the peer says of its height replaces what it claimed before the fetch was started. A
// success does not clear failures yet: the blocks may be forged.
func (h *holder) done(now time.Time, f *flight, r Result) {
	if r.Height > 0 && h.seen <= f.signs {
		h.height = 0
	}
	if h.failures < giveUp { // otherwise only a new claim counts
		h.height = max(h.height, r.Height)
	}
	switch {
	case r.Late && now.Sub(f.since) < hedgeMin: // it was not slow, others were faster
	case r.Lied:
		h.fail(now, lieFailures)
	case r.Elsewhere != "" && h.sentOn < maxSentOn:
		h.sentOn++
	case r.Failed || r.Got == 0:
		h.fail(now, 1)
	}
}

func (h *holder) fail(now time.Time, n int) {
	h.failures = min(h.failures+n, 16)
	h.barred = now.Add(min(penaltyMax, penaltyMin<<(h.failures-1)))
	if h.failures >= giveUp {
		h.height = 0
	}
}

// Have records that a peer says it has all blocks below height.
func (p *Planner) Have(now time.Time, id peer.ID, height uint64) {
	h := p.holders[id]
	if h == nil {
		if len(p.holders) >= maxHolders {
			p.forgetWorst()
		}
		h = &holder{}
		p.holders[id] = h
	}
	p.signs++
	h.seen, h.height = p.signs, max(h.height, height)
	p.note(now)
}

// forgetWorst forgets the peer that we can best do without: one that failed most, of these one that gave us least, of these
// the one that we have not heard of for longest.
func (p *Planner) forgetWorst() {
	var worst peer.ID
	var w *holder
	for id, h := range p.holders {
		if w == nil || cmp.Or(cmp.Compare(h.failures, w.failures), cmp.Compare(w.proved, h.proved), cmp.Compare(w.seen, h.seen)) > 0 {
			worst, w = id, h
		}
	}
	delete(p.holders, worst)
}

// Gone forgets a peer: it has left, or may not be asked any more.
func (p *Planner) Gone(id peer.ID) { delete(p.holders, id) }

// Lied records that a block of this peer did not verify.
func (p *Planner) Lied(now time.Time, id peer.ID) {
	if h := p.holders[id]; h != nil {
		h.fail(now, lieFailures)
	}
}

// Proved records that a block of this peer was committed.
func (p *Planner) Proved(id peer.ID) {
	if h := p.holders[id]; h != nil {
		h.proved, h.failures, h.sentOn = h.proved+1, 0, 0
	}
}

// Highest is the greatest height that any peer claims.
func (p *Planner) Highest() uint64 {
	var highest uint64
	for _, h := range p.holders {
		highest = max(highest, h.height)
	}
	return highest
}

// pick chooses whom to ask for number: who has it, is not bringing it already and is not barred; of these who failed least,
// then who is least busy, then who was heard of last. If all who have it are barred, wait is when the first may be asked.
func (p *Planner) pick(now time.Time, number uint64) (best peer.ID, wait time.Time) {
	var chosen *holder
	for id, h := range p.holders {
		switch {
		case h.height <= number || p.busy(id) >= fetchPerPeer || p.asking(id, number):
		case now.Before(h.barred):
			wait = earlier(wait, h.barred)
		case chosen == nil || p.preferred(id, h, best, chosen):
			best, chosen = id, h
		}
	}
	return best, wait
}

func (p *Planner) preferred(a peer.ID, ha *holder, b peer.ID, hb *holder) bool {
	return cmp.Or(cmp.Compare(ha.failures, hb.failures), cmp.Compare(p.busy(a), p.busy(b)), cmp.Compare(hb.seen, ha.seen)) < 0
}
