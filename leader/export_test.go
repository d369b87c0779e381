// SPDX-License-Identifier: Apache-2.0

package leader

import "time"

// MaxSights is how many absent peers are remembered.
const MaxSights = maxSights

// Sights is how many peers an election remembers.
func Sights(e *Election) int { return len(e.seen) }

// Suspicion and what it hears of.
type (
	Suspicion = suspicion
	Sighting  = sighting
)

const (
	Looked  = looked
	Exists  = exists
	Brought = brought
	Ready   = ready
)

// NewSuspicion is of a source whose next block is next.
func NewSuspicion(timeout time.Duration, next uint64) *Suspicion {
	return &suspicion{timeout: timeout, next: next}
}

// Step takes one sighting.
func (s *suspicion) Step(now time.Time, what Sighting, number uint64) bool {
	return s.step(now, what, number)
}
