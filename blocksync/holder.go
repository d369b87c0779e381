// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/fair"
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
	*account
	owner  fair.Owner
	height uint64 // it says that it has all blocks below
	seen   uint64 // order of the last sign of life: the latest is asked first
	sentOn int    // how often it sent us to somebody else since one of its blocks was committed
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
	if h.account.fail(now, n); h.failures >= giveUp {
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
	} else {
		p.places.Add(h.owner, -1)
	}
	p.signs++
	h.owner, h.account = p.owner(id), p.account(id)
	p.places.Add(h.owner, 1)
	h.seen, h.height = p.signs, max(h.height, height)
	p.note(now)
}

// forgetWorst forgets the peer that we can best do without: of the organization and the identity that have most, one that
// failed most, of these one that gave us least, of these the one that we have not heard of for longest.
func (p *Planner) forgetWorst() {
	var worst peer.ID
	var w *holder
	for id, h := range p.holders {
		if w == nil || cmp.Or(p.places.Larger(w.owner, h.owner), cmp.Compare(h.failures, w.failures), cmp.Compare(w.proved, h.proved), cmp.Compare(w.seen, h.seen)) > 0 {
			worst, w = id, h
		}
	}
	p.Gone(worst)
}

// Gone forgets what a peer claims: it has left, or may not be asked any more. How it served us is remembered.
func (p *Planner) Gone(id peer.ID) {
	if h := p.holders[id]; h != nil {
		p.places.Add(h.owner, -1)
		delete(p.holders, id)
	}
}

// Lied records that a block of this peer did not verify.
func (p *Planner) Lied(now time.Time, id peer.ID) {
	if h := p.holders[id]; h != nil {
		h.fail(now, lieFailures)
		return
	}
	p.account(id).fail(now, lieFailures)
}

// Proved records that a block of this peer was committed.
func (p *Planner) Proved(id peer.ID) {
	if h := p.holders[id]; h != nil {
		h.proved, h.failures, h.sentOn = h.proved+1, max(0, h.failures-1), 0
	}
}

// Credible is the greatest height that any peer claims that has not lied and not failed often.
func (p *Planner) Credible() uint64 {
	var highest uint64
	for _, h := range p.holders {
		if h.failures < lieFailures {
			highest = max(highest, h.height)
		}
	}
	return highest
}

// Highest is the greatest height that any peer claims.
func (p *Planner) Highest() uint64 {
	var highest uint64
	for _, h := range p.holders {
		highest = max(highest, h.height)
	}
	return highest
}

// pick chooses whom to ask for number: who has it, is not bringing it already and is not barred; of these who failed and held
// us up least, then who is least busy, then whose organization is, then who was heard of last. If all who have it are barred,
// wait is when the first may be asked.
func (p *Planner) pick(now time.Time, number uint64) (best peer.ID, wait time.Time) {
	busy := p.busy()
	asked := p.asked(number)
	var chosen *holder
	for id, h := range p.holders {
		switch {
		case h.height <= number || busy.Of(h.owner) >= fetchPerPeer || brings(asked, h.owner):
		case now.Before(h.barred):
			wait = earlier(wait, h.barred)
		case chosen == nil || p.preferred(now, &busy, h, chosen):
			best, chosen = id, h
		}
	}
	return best, wait
}

func (p *Planner) preferred(now time.Time, busy *fair.Tally, a, b *holder) bool {
	return cmp.Or(
		cmp.Compare(a.blame(now, p.pace), b.blame(now, p.pace)),
		cmp.Compare(busy.Of(a.owner), busy.Of(b.owner)),
		cmp.Compare(busy.Org(a.owner.Org), busy.Org(b.owner.Org)),
		cmp.Compare(b.seen, a.seen),
	) < 0
}

// busy is how many requests are under way at whom.
func (p *Planner) busy() (t fair.Tally) {
	for _, f := range p.flights {
		t.Add(f.owner, 1)
	}
	return t
}

// brings says whether an identity was asked already.
func brings(asked []*flight, o fair.Owner) bool {
	return slices.ContainsFunc(asked, func(f *flight) bool { return f.owner == o })
}
