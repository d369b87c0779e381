// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"slices"
	"sync"
	"time"
)

// measures collects when each block was signed and when each peer had committed it. It is safe for concurrent use.
type measures struct {
	mu      sync.Mutex // guards all below
	signed  map[uint64]time.Time
	bytes   int64
	heights []uint64
	last    []time.Duration
	all     []time.Duration
	upFrom  []uint64 // the first block that counts for a peer: it was up when that was signed
	catchup time.Duration
	caught  uint64 // blocks that the late joiner had to catch up with
}

func newMeasures(peers int) *measures {
	m := &measures{signed: map[uint64]time.Time{}}
	for range peers {
		m.add()
	}
	return m
}

// add makes room for one more peer and returns its index.
func (m *measures) add() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heights = append(m.heights, 1)
	m.last = append(m.last, 0)
	m.upFrom = append(m.upFrom, 1)
	return len(m.heights) - 1
}

// block hears of a block that the ordering service has signed.
func (m *measures) block(number uint64, at time.Time, size int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.signed[number] = at
	m.bytes += int64(size)
}

// committed hears that a peer has committed a block.
func (m *measures) committed(peer int, number uint64, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heights[peer] = number + 1
	if signed, ok := m.signed[number]; ok && number >= m.upFrom[peer] {
		m.last[peer] = at.Sub(signed)
		m.all = append(m.all, m.last[peer])
	}
}

// late says that a peer starts now: nothing counts for it until it has caught up.
func (m *measures) late(peer int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.upFrom[peer] = ^uint64(0)
}

// caughtUp says that the late joiner has reached the head after some time.
func (m *measures) caughtUp(peer int, height uint64, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.upFrom[peer], m.caught, m.catchup = height, height-1, took
}

// view is what the screen shows.
type view struct {
	heights []uint64
	last    []time.Duration
	all     []time.Duration // sorted
}

func (m *measures) view() view {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := view{heights: slices.Clone(m.heights), last: slices.Clone(m.last), all: slices.Clone(m.all)}
	slices.Sort(v.all)
	return v
}

// percentile of sorted durations, 0 if there are none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}
