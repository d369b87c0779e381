// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"cmp"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Judgements of the planner.
const (
	// fetchBlocks is how many blocks one request asks for. A server may answer with fewer, and stops at 8 MiB.
	fetchBlocks = 16
	// fetchParallel is how many requests are under way at one time, fetchPerPeer how many of them at one peer: with a round
	// trip of 50 ms and blocks of 160 KB this keeps some 20 MB in flight, more than a gigabit link holds.
	fetchParallel, fetchPerPeer = 8, 2
	// maxHolders is how many peers' claims are remembered; more are not needed to find a block.
	maxHolders = 1024
	// sourceGrace is how long a peer whose own source is streaming waits for it before it asks others for a block that they
	// are known to have: leaders get a block within milliseconds of each other.
	sourceGrace = 500 * time.Millisecond
	// hedgeAfter is how long the next block, which everything else waits for, may be under way before another peer is asked
	// for it too.
	hedgeAfter = 2 * time.Second
	// A peer that failed is not asked for penaltyMin, doubled with each further failure up to penaltyMax.
	penaltyMin, penaltyMax = 200 * time.Millisecond, 30 * time.Second
)

// Fetch is a request for the blocks From..To, both included, of one peer.
type Fetch struct {
	Peer     peer.ID
	From, To uint64
}

// holder is what the planner knows of a peer.
type holder struct {
	height   uint64 // it says that it has all blocks below
	failures int
	barred   time.Time // not asked before
	seen     uint64    // order of the last sign of life: the latest is asked first
}

// flight is a block under way.
type flight struct {
	peer   peer.ID
	since  time.Time
	hedged bool
}

// Result is how a fetch ended.
type Result struct {
	Got    int    // blocks that came in
	Height uint64 // what the peer said its height was; 0 if it did not
	Failed bool   // it ended otherwise than the protocol wants
}

// Planner decides which missing blocks to ask whom. It knows who claims to have what, what is in the buffer or under way, and
// who failed. It is pure: no clock, no goroutine; every call gives the time. One goroutine or lock at a time.
type Planner struct {
	next     uint64 // first number not committed
	holders  map[peer.ID]*holder
	have     func(number uint64) bool // is there a candidate already
	underway map[uint64]flight
	busy     map[peer.ID]int // fetches under way
	fetches  int
	signs    uint64
	behind   time.Time // since when somebody has been ahead without progress of ours; zero if nobody is
}

// NewPlanner makes a planner for a chain whose next number is next. have says whether a candidate for a number waits.
func NewPlanner(next uint64, have func(uint64) bool) *Planner {
	return &Planner{next: next, have: have, holders: map[peer.ID]*holder{}, underway: map[uint64]flight{}, busy: map[peer.ID]int{}}
}

// Have records that a peer says it has all blocks below height.
func (p *Planner) Have(now time.Time, id peer.ID, height uint64) {
	h := p.holders[id]
	if h == nil {
		if len(p.holders) >= maxHolders {
			return
		}
		h = &holder{}
		p.holders[id] = h
	}
	p.signs++
	h.seen, h.height = p.signs, max(h.height, height)
	p.note(now)
}

// Gone forgets a peer: it has left, or may not be asked any more.
func (p *Planner) Gone(id peer.ID) { delete(p.holders, id) }

// Committed records progress: all blocks below next are committed.
func (p *Planner) Committed(now time.Time, next uint64) {
	if next > p.next {
		p.next, p.behind = next, time.Time{}
	}
	p.note(now)
}

// note keeps behind: since when we have known of a block that we lack.
func (p *Planner) note(now time.Time) {
	switch {
	case p.Highest() <= p.next:
		p.behind = time.Time{}
	case p.behind.IsZero():
		p.behind = now
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

// Done records the end of a fetch. A peer that failed or gave nothing is barred for a while; what it says of its height
// now replaces what it said before.
func (p *Planner) Done(now time.Time, f Fetch, r Result) {
	p.fetches--
	if p.busy[f.Peer]--; p.busy[f.Peer] == 0 {
		delete(p.busy, f.Peer)
	}
	for number := f.From; number <= f.To; number++ {
		if p.underway[number].peer == f.Peer {
			delete(p.underway, number)
		}
	}
	if h := p.holders[f.Peer]; h != nil {
		p.credit(now, h, r)
	}
	p.note(now)
}

func (p *Planner) credit(now time.Time, h *holder, r Result) {
	if r.Height > 0 {
		h.height = r.Height
	}
	if r.Failed || r.Got == 0 {
		p.bar(now, h)
	} else {
		h.failures = 0
	}
}

// Lied records that a block of this peer did not verify.
func (p *Planner) Lied(now time.Time, id peer.ID) {
	if h := p.holders[id]; h != nil {
		h.failures += 3
		p.bar(now, h)
	}
}

func (p *Planner) bar(now time.Time, h *holder) {
	h.failures = min(h.failures+1, 16)
	h.barred = now.Add(min(penaltyMax, penaltyMin<<(h.failures-1)))
}

// Plan returns the requests to make now, and when to ask again if nothing happens before; a zero time means that only an
// event can change anything. The requests count as under way until Done. streaming says whether our own source delivers at
// the moment.
func (p *Planner) Plan(now time.Time, streaming bool) (fetches []Fetch, again time.Time) {
	if streaming && !p.behind.IsZero() {
		if due := p.behind.Add(sourceGrace); now.Before(due) {
			return nil, due
		}
	}
	end := min(p.Highest(), p.next+Window)
	for number := p.next; number < end && p.fetches < fetchParallel; number++ {
		open, wait := p.missing(now, number)
		again = earlier(again, wait)
		if !open {
			continue
		}
		id, wait := p.pick(now, number)
		if id == "" {
			again = earlier(again, wait)
			continue
		}
		f := Fetch{Peer: id, From: number, To: p.run(number, min(end, p.holders[id].height))}
		p.start(now, f)
		fetches = append(fetches, f)
		number = f.To
	}
	return fetches, again
}

// missing says whether number should be asked for: nobody brought it and nobody is bringing it. The next number of all is
// asked for once more when it has been under way for long; then wait is when that will be.
func (p *Planner) missing(now time.Time, number uint64) (open bool, wait time.Time) {
	f, underway := p.underway[number]
	if !underway {
		return !p.have(number), time.Time{}
	}
	if number != p.next || f.hedged {
		return false, time.Time{}
	}
	due := f.since.Add(hedgeAfter)
	return !now.Before(due), due
}

// run is the last number of the missing run that starts at from, below end, of at most fetchBlocks.
func (p *Planner) run(from, end uint64) uint64 {
	to := from
	for to+1 < end && to+1-from < fetchBlocks && p.untouched(to+1) {
		to++
	}
	return to
}

func (p *Planner) untouched(number uint64) bool {
	_, underway := p.underway[number]
	return !underway && !p.have(number)
}

func (p *Planner) start(now time.Time, f Fetch) {
	p.fetches++
	p.busy[f.Peer]++
	for number := f.From; number <= f.To; number++ {
		_, hedged := p.underway[number]
		p.underway[number] = flight{f.Peer, now, hedged}
	}
}

// pick chooses whom to ask for number: who has it, is not bringing it already and is not barred; of these who failed least,
// then who is least busy, then who was heard of last. If all who have it are barred, wait is when the first may be asked.
func (p *Planner) pick(now time.Time, number uint64) (best peer.ID, wait time.Time) {
	var chosen *holder
	for id, h := range p.holders {
		switch {
		case h.height <= number || p.busy[id] >= fetchPerPeer || p.underway[number].peer == id:
		case now.Before(h.barred):
			wait = earlier(wait, h.barred)
		case chosen == nil || p.preferred(id, h, best, chosen):
			best, chosen = id, h
		}
	}
	return best, wait
}

func (p *Planner) preferred(a peer.ID, ha *holder, b peer.ID, hb *holder) bool {
	return cmp.Or(cmp.Compare(ha.failures, hb.failures), cmp.Compare(p.busy[a], p.busy[b]), cmp.Compare(hb.seen, ha.seen)) < 0
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
