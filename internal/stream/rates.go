// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"github.com/weft-p2p/weft/internal/fair"
)

// Rates bounds how often owners do something: every identity, and every organization's members together. Those who are no
// members, as far as we know, are bounded one by one: they are an organization for nothing but room. Safe for concurrent
// use.
type Rates struct {
	each, org limit

	mu                 sync.Mutex // guards all below
	members, strangers *simplelru.LRU[fair.Owner, *rate.Limiter]
	orgs               *simplelru.LRU[fair.Owner, *rate.Limiter]
}

type limit struct {
	rate  rate.Limit
	burst int
}

// NewRates makes rates of so many events a second with bursts of so many, for an identity and for an organization.
func NewRates(each rate.Limit, burst int, org rate.Limit, orgBurst int) *Rates {
	return &Rates{
		each: limit{each, burst}, org: limit{org, orgBurst},
		members: memory[*rate.Limiter](), strangers: memory[*rate.Limiter](), orgs: memory[*rate.Limiter](),
	}
}

// Allow counts one event and says whether it is within the rates; each says whether it is within the identity's own. A rate
// of zero does not bound.
func (r *Rates) Allow(o fair.Owner) (ok, each bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	table := r.members
	if o.Org == "" {
		table = r.strangers
	}
	if !r.each.allow(table, o) {
		return false, false
	}
	return o.Org == "" || r.org.allow(r.orgs, fair.Owner{Org: o.Org}), true
}

// Reserve counts n events, as many as a burst at most, and says how long to wait until they are within the rates; own says
// whether that is for the identity's own. Who waits has spent them all the same.
func (r *Rates) Reserve(o fair.Owner, n int) (wait time.Duration, own bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	table := r.members
	if o.Org == "" {
		table = r.strangers
	}
	wait = r.each.reserve(table, o, n)
	own = wait > 0
	if o.Org != "" {
		wait = max(wait, r.org.reserve(r.orgs, fair.Owner{Org: o.Org}, n))
	}
	return wait, own
}

func (l limit) reserve(known *simplelru.LRU[fair.Owner, *rate.Limiter], o fair.Owner, n int) time.Duration {
	if l.rate == 0 {
		return 0
	}
	return l.of(known, o).ReserveN(time.Now(), min(n, l.burst)).Delay()
}

func (l limit) allow(known *simplelru.LRU[fair.Owner, *rate.Limiter], o fair.Owner) bool {
	if l.rate == 0 {
		return true
	}
	return l.of(known, o).Allow()
}

// of is the limiter of an owner.
func (l limit) of(known *simplelru.LRU[fair.Owner, *rate.Limiter], o fair.Owner) *rate.Limiter {
	limiter, ok := known.Get(o)
	if !ok {
		limiter = rate.NewLimiter(l.rate, l.burst)
		known.Add(o, limiter)
	}
	return limiter
}
