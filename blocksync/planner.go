// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/fair"
)

// Judgements of the planner.
const (
	// fetchBlocks is how many blocks one request asks for at most, and fetchBytes how many bytes, about: big blocks are asked
	// for one by one, so that several peers bring them at the same time. A server may answer with fewer, and stops at 8 MiB.
	fetchBlocks, fetchBytes = 16, 2 << 20
	// fetchParallel is how many requests are under way at one time, fetchPerPeer how many of them at one identity: with a round
	// trip of 50 ms and blocks of 160 KB this keeps some 20 MB in flight, more than a gigabit link holds.
	// [Config.FanOut] changes the first.
	fetchParallel, fetchPerPeer = 8, 2
	// fetchUrgent is how many requests for the next block may be under way beyond fetchParallel, so that peers that take
	// requests and do not answer cannot keep the chain from going on.
	fetchUrgent = 16
	// sourceGrace is how long a peer whose own source is streaming waits for it before it asks others for a block that they
	// are known to have: leaders get a block within milliseconds of each other.
	sourceGrace = 500 * time.Millisecond
	// hedgeMin is how long the next block, which everything else waits for, may be under way without a block coming in
	// before another peer is asked for it too; doubled with each further peer up to hedgeMax.
	hedgeMin, hedgeMax = 2 * time.Second, 8 * time.Second
)

// Fetch is a request for the blocks From..To, both included, of one peer.
type Fetch struct {
	Peer     peer.ID
	From, To uint64
}

// Result is how a fetch ended.
type Result struct {
	Got    int    // blocks that came in
	Height uint64 // what the peer said its height was; 0 if it did not
	Full   bool   // the buffer had no room for a block that came in
	Failed bool   // it ended otherwise than the protocol wants
	Lied   bool   // it failed because of what the peer said, which no honest peer says
	Late   bool   // it was cancelled because others had brought all of it
	// Elsewhere is whom the peer said to ask instead: it was busy, and that one has just received the first of the blocks.
	Elsewhere peer.ID
}

// flight is a fetch under way.
type flight struct {
	Fetch
	owner fair.Owner
	held  bool // the chain has waited for it in vain
	start time.Time
	got   int       // blocks that came in
	since time.Time // when it was started, or its last block came in
	signs uint64    // signs of life before it was started
}

func (f *flight) covers(number uint64) bool { return f.From <= number && number <= f.To }

// Planner decides which missing blocks to ask whom. It knows who claims to have what, what is in the buffer or under way, and
// who failed. It is pure: no clock, no goroutine; every call gives the time. One goroutine or lock at a time.
type Planner struct {
	next     uint64                   // first number not committed
	have     func(number uint64) bool // is there a candidate already
	owner    func(peer.ID) fair.Owner // whom a peer counts as
	holders  map[peer.ID]*holder
	places   fair.Tally // of holders
	accounts *accounts
	flights  []*flight
	signs    uint64
	behind   time.Time     // since when somebody has been ahead without progress of ours; zero if nobody is
	pace     time.Duration // how long a block of a fetch takes at those who are fast; 0: unknown
	full     bool          // the buffer refused a block, and nothing was committed since
	size     int           // of the blocks that are to come, in bytes, as far as can be guessed
	parallel int           // requests under way at one time
}

// NewPlanner makes a planner for a chain whose next number is next. have says whether a candidate for a number waits.
func NewPlanner(next uint64, have func(uint64) bool) *Planner {
	return &Planner{next: next, have: have, owner: alone, holders: map[peer.ID]*holder{}, accounts: newAccounts(), parallel: fetchParallel}
}

// FanOut says how many peers are kept busy at one time, two requests each, for as many requests as that are under way; fewer
// peers have as many as each may have. The default is 4. What everything waits for is asked of more, see [Planner.Plan].
func (p *Planner) FanOut(peers int) { p.parallel = peers * fetchPerPeer }

// Committed records progress: all blocks below next are committed.
func (p *Planner) Committed(now time.Time, next uint64) {
	if next > p.next {
		p.next, p.behind, p.full = next, time.Time{}, false
	}
	p.note(now)
}

// Expect says how big the blocks that are to come are, about: as big as the last one.
func (p *Planner) Expect(size int) { p.size = size }

// note keeps behind: since when we have known of a block that we lack.
func (p *Planner) note(now time.Time) {
	switch {
	case p.Highest() <= p.next:
		p.behind = time.Time{}
	case p.behind.IsZero():
		p.behind = now
	}
}

// Progress records that a block of a fetch came in.
func (p *Planner) Progress(now time.Time, f Fetch) {
	for _, flying := range p.flights {
		if flying.Fetch == f {
			flying.since = now
			flying.got++
		}
	}
}

// Done records the end of a fetch.
func (p *Planner) Done(now time.Time, f Fetch, r Result) {
	i := slices.IndexFunc(p.flights, func(flying *flight) bool { return flying.Fetch == f })
	if i < 0 {
		return
	}
	flying := p.flights[i]
	p.flights = slices.Delete(p.flights, i, i+1)
	p.full = p.full || r.Full
	p.paced(now, flying, r)
	if h := p.holders[f.Peer]; h != nil {
		h.done(now, flying, r)
	}
	p.note(now)
}

// Plan returns the requests to make now, and when to ask again if nothing happens before; a zero time means that only an
// event can change anything, any other is later than now. The requests count as under way until Done. streaming says
// whether our own source delivers at the moment.
func (p *Planner) Plan(now time.Time, streaming bool) (fetches []Fetch, again time.Time) {
	if due := p.behind.Add(sourceGrace); streaming && !p.behind.IsZero() && now.Before(due) {
		return nil, due
	}
	end := min(p.Highest(), p.next+Window)
	if p.full {
		end = min(end, p.next+1)
	}
	if p.next < end {
		fetches, again = p.hedge(now)
	}
	for number := p.next; number < end && p.slots(number) > 0; number++ {
		if !p.untouched(number) {
			continue
		}
		id, wait := p.pick(now, number)
		if id == "" { // then there is nobody for any later number either
			return fetches, earlier(again, wait)
		}
		f := p.start(now, Fetch{Peer: id, From: number, To: p.run(number, min(end, p.holders[id].height))})
		fetches = append(fetches, f)
		if number == p.next {
			again = earlier(again, now.Add(hedgeMin))
		}
		number = f.To
	}
	return fetches, again
}

// slots is how many more requests may be under way, number being the first block of the next one.
func (p *Planner) slots(number uint64) int {
	if number == p.next {
		return p.parallel + fetchUrgent - len(p.flights)
	}
	return p.parallel - len(p.flights)
}

// hedge asks one more peer for the next number if it has been under way for too long, and for what was asked with it.
// Otherwise again is when that will be, or when a peer that could be asked is no longer barred.
func (p *Planner) hedge(now time.Time) (fetches []Fetch, again time.Time) {
	asked := p.asked(p.next)
	if len(asked) == 0 || p.have(p.next) || p.slots(p.next) <= 0 {
		return nil, time.Time{}
	}
	due := p.holdUp(now, asked)
	id, wait := p.pick(now, p.next)
	if now.Before(due) && !p.better(now, id, asked) {
		return nil, due
	}
	if id == "" {
		return nil, wait
	}
	to := slices.MinFunc(asked, func(a, b *flight) int { return cmp.Compare(a.To, b.To) }).To
	f := Fetch{Peer: id, From: p.next, To: p.next}
	for f.To < min(to, p.holders[id].height-1) && !p.have(f.To+1) && !brings(p.asked(f.To+1), p.holders[id].owner) {
		f.To++
	}
	return []Fetch{p.start(now, f)}, now.Add(hedgeMin)
}

// run is the last number of the missing run that starts at from, below end, of as many blocks as one request asks for.
func (p *Planner) run(from, end uint64) uint64 {
	to, most := from, uint64(max(1, min(fetchBlocks, fetchBytes/max(1, p.size))))
	for to+1 < end && to+1-from < most && p.untouched(to+1) {
		to++
	}
	return to
}

// untouched says that nobody has brought a number and nobody was asked for it.
func (p *Planner) untouched(number uint64) bool {
	return !p.have(number) && !slices.ContainsFunc(p.flights, func(f *flight) bool { return f.covers(number) })
}

// asked are the flights that are to bring a number.
func (p *Planner) asked(number uint64) (flights []*flight) {
	for _, f := range p.flights {
		if f.covers(number) {
			flights = append(flights, f)
		}
	}
	return flights
}

func (p *Planner) start(now time.Time, f Fetch) Fetch {
	p.flights = append(p.flights, &flight{Fetch: f, owner: p.holders[f.Peer].owner, start: now, since: now, signs: p.signs})
	return f
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
