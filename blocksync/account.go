// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"math"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/fair"
)

// stallDecay is how long it takes until one of the stalls of a peer is forgotten. Blocks do not make up for a stall: who
// brings one block of a range and holds up the rest would never be the worse for it.
const stallDecay = time.Minute

// Who takes slowFactor times as long for a block as those who are fast, leastPace at least, is slow: it is asked when nobody
// else is free, and a range that it brings bit by bit is asked of others as well.
const (
	slowFactor = 4
	leastPace  = 5 * time.Millisecond
)

// maxStalls is how many stalls are remembered.
const maxStalls = 10

// account is how the host keys of one identity have served us: a new host key does not clear it.
type account struct {
	failures int // each block of it that is committed takes one away
	proved   int // how often blocks of it were committed
	barred   time.Time
	stalls   float64       // how often the chain waited for it
	stalled  time.Time     // when stalls was right
	pace     time.Duration // how long a block of a fetch took, about; 0: unknown
}

// fail counts n failures; more than giveUp of them also void what a peer claims.
func (a *account) fail(now time.Time, n int) {
	a.failures = min(a.failures+n, 16)
	a.barred = now.Add(min(penaltyMax, penaltyMin<<(a.failures-1)))
}

// stall notes that the chain waited for it in vain.
func (a *account) stall(now time.Time) {
	a.stalls, a.stalled = min(maxStalls, a.left(now)+1), now
}

func (a *account) left(now time.Time) float64 {
	return max(0, a.stalls-float64(now.Sub(a.stalled))/float64(stallDecay))
}

// blame orders peers by how they served us; less is better. best is the pace of those who are fast.
func (a *account) blame(now time.Time, best time.Duration) int {
	blame := a.failures + int(math.Ceil(a.left(now)))
	if best > 0 && a.pace > slowFactor*max(best, leastPace) {
		blame++
	}
	return blame
}

// took notes how long a fetch took that brought so many blocks.
func (a *account) took(d time.Duration, blocks int) {
	pace := d / time.Duration(blocks)
	if a.pace > 0 {
		pace = (3*a.pace + pace) / 4
	}
	a.pace = pace
}

// accounts remembers those whom we asked or heard of last.
type accounts = simplelru.LRU[fair.Owner, *account]

func newAccounts() *accounts {
	a, _ := simplelru.NewLRU[fair.Owner, *account](maxHolders, nil) // fails for a size below one only
	return a
}

// account is that of a peer.
func (p *Planner) account(id peer.ID) *account {
	o := p.owner(id)
	a, ok := p.accounts.Get(o)
	if !ok {
		a = &account{}
		p.accounts.Add(o, a)
	}
	return a
}

// distrusts says whether a peer has lied and not made up for it.
func (p *Planner) distrusts(id peer.ID) bool {
	a, ok := p.accounts.Peek(p.owner(id))
	return ok && a.failures >= lieFailures
}
