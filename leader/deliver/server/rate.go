// SPDX-License-Identifier: Apache-2.0

package server

import (
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxRates bounds how many clients are remembered. Whoever is forgotten starts with a full bucket.
const maxRates = 4096

// rates are token buckets, one for each of the keys seen last. Safe for concurrent use.
type rates[K comparable] struct {
	limit rate.Limit
	burst int
	by    *lru.Cache[K, *rate.Limiter]
}

func newRates[K comparable](perSecond, burst int) *rates[K] {
	by, _ := lru.New[K, *rate.Limiter](maxRates) // fails for a size below 1 alone
	return &rates[K]{limit: rate.Limit(perSecond), burst: burst, by: by}
}

// of returns the bucket of a key.
func (r *rates[K]) of(key K) *rate.Limiter {
	fresh := rate.NewLimiter(r.limit, r.burst)
	if known, found, _ := r.by.PeekOrAdd(key, fresh); found {
		_, _ = r.by.Get(key) // it was used last
		return known
	}
	return fresh
}
