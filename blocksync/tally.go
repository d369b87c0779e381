// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"maps"
	"sync"
)

// Way is how bytes of blocks come in.
type Way string

// The ways of blocks.
const (
	FromSource     Way = "orderer"      // our own source
	ByAnnouncement Way = "announcement" // inside an announcement
	ByRelay        Way = "relay"        // in pieces that members forwarded
	ByRange        Way = "range"        // in answer to a range request
)

// Repair is why a block had to be asked for that should have come by itself.
type Repair string

// Unannounced is a block of which no verified announcement had told when it was asked for: announcements were missed, or we
// were away.
const Unannounced Repair = "unannounced"

// Stalled is a block that the relay gave up: its pieces did not come any more.
const Stalled Repair = "stalled"

// Crowded is a block that the relay gave up because there was no room or no memory left for its pieces.
const Crowded Repair = "crowded"

// Tally is what a channel has received and committed since the start.
type Tally struct {
	Received  map[Way]uint64    // bytes of blocks, whether they were of use or not
	Committed uint64            // bytes
	Repaired  map[Repair]uint64 // blocks
}

// Copies is how many bytes were received for each that was committed; 1 is ideal, 0 says that nothing was committed yet.
func (t Tally) Copies() float64 {
	if t.Committed == 0 {
		return 0
	}
	var received uint64
	for _, bytes := range t.Received {
		received += bytes
	}
	return float64(received) / float64(t.Committed)
}

// tally is a Tally that grows. Its methods are safe for concurrent use.
type tally struct {
	metrics *metrics

	mu  sync.Mutex // guards sum
	sum Tally
}

func newTally(m *metrics) *tally {
	return &tally{metrics: m, sum: Tally{Received: map[Way]uint64{}, Repaired: map[Repair]uint64{}}}
}

// Tally is what was received and committed since the start.
func (s *Sync) Tally() Tally {
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	t := s.tally.sum
	t.Received, t.Repaired = maps.Clone(t.Received), maps.Clone(t.Repaired)
	return t
}

// Received counts bytes of blocks that came by a way of which the Sync does not know by itself: all but FromSource and
// ByRange.
func (s *Sync) Received(w Way, bytes int) { s.tally.received(w, bytes) }

// Repaired counts blocks that had to be asked for, for a reason of which the Sync does not know by itself: all but
// Unannounced.
func (s *Sync) Repaired(why Repair, blocks int) { s.tally.repaired(why, blocks) }

func (t *tally) received(w Way, bytes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Received[w] += uint64(bytes)
	t.metrics.received(w, bytes)
}

func (t *tally) repaired(why Repair, blocks int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Repaired[why] += uint64(blocks)
	t.metrics.repaired(why, blocks)
}

func (t *tally) committed(bytes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Committed += uint64(bytes)
	t.metrics.committedBytes(bytes)
}
