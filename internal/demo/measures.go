// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"slices"
	"sync"
	"time"
)

// never is the first block that counts for a peer that is down.
const never = ^uint64(0)

// measures collects when each block was signed and when each peer had committed it. It is safe for concurrent use.
type measures struct {
	mu     sync.Mutex // guards all below
	signed map[uint64]time.Time
	bytes  int64
	peers  []peerMeasures
	all    []time.Duration
	events events
}

// peerMeasures is what is known of one peer.
type peerMeasures struct {
	height uint64
	last   time.Duration // from order to commit, of the last block that counted
	upFrom uint64        // the first block that counts: the peer was up when that was signed
}

// events are the figures of what happened on the way.
type events struct {
	catchup  time.Duration // of the late joiner, from its start to the head
	caught   uint64        // blocks that it had to catch up with
	failover time.Duration // from the leader's death to its successor's stream
	changes  int           // of leaders, the first ones not counted
	repaired int           // blocks that peers missed while they were away, and got afterwards
}

func newMeasures() *measures { return &measures{signed: map[uint64]time.Time{}} }

// add makes room for one more peer and returns its index.
func (m *measures) add() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.peers = append(m.peers, peerMeasures{height: 1, upFrom: 1})
	return len(m.peers) - 1
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
	p := &m.peers[peer]
	p.height = number + 1
	if signed, ok := m.signed[number]; ok && number >= p.upFrom {
		p.last = at.Sub(signed)
		m.all = append(m.all, p.last)
	}
}

// down says that nothing counts for a peer until it is up again.
func (m *measures) down(peer int) { m.up(peer, never) }

// up says that a peer is up from a block on.
func (m *measures) up(peer int, from uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.peers[peer].upFrom = from
}

// note changes the figures of what happened.
func (m *measures) note(what func(*events)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	what(&m.events)
}

func (m *measures) joined(blocks uint64, took time.Duration) {
	m.note(func(e *events) { e.caught, e.catchup = blocks, took })
}

func (m *measures) repaired(blocks int) { m.note(func(e *events) { e.repaired += blocks }) }

func (m *measures) failedOver(took time.Duration) { m.note(func(e *events) { e.failover = took }) }

func (m *measures) changed() { m.note(func(e *events) { e.changes++ }) }

// view is what the screen and the summary show.
type view struct {
	peers  []peerMeasures
	all    []time.Duration // sorted
	bytes  int64
	events events
}

func (m *measures) view() view {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := view{peers: slices.Clone(m.peers), all: slices.Clone(m.all), bytes: m.bytes, events: m.events}
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
