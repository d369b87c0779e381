// SPDX-License-Identifier: Apache-2.0

package relaysim

import "time"

// kind is what happens.
type kind uint8

const (
	sent    kind = iota + 1 // a packet has left the uplink
	arrived                 // it is at the downlink
	through                 // it has come through the downlink
	acked                   // its sender knows
	missed                  // its sender notices that it was lost
	ticked                  // a machine's time to look
)

type event struct {
	at     time.Duration
	order  uint64
	kind   kind
	peer   *Peer
	packet packet
	call   func()
}

// events is a heap of what is to come.
type events []event

func (q events) less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}

func (q *events) push(e event) {
	*q = append(*q, e)
	h := *q
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.less(i, up) {
			return
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (q *events) pop() event {
	h := *q
	first, n := h[0], len(h)-1
	h[0] = h[n]
	h[n] = event{}
	h = h[:n]
	*q = h
	for i := 0; ; {
		down := 2*i + 1
		if down >= n {
			return first
		}
		if down+1 < n && h.less(down+1, down) {
			down++
		}
		if !h.less(down, i) {
			return first
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
}

func (s *Sim) at(t time.Duration, e event) {
	s.count++
	e.at, e.order = max(t, s.now), s.count
	s.queue.push(e)
}
