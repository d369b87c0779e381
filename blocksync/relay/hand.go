// SPDX-License-Identifier: Apache-2.0

package relay

import "time"

// hand is the piece that a peer's stream is writing: what Next gave last, until it is called again.
type hand struct {
	item
	took  time.Time
	after int // how many pieces had been written before
}

// uplink is how our own does.
type uplink struct {
	writing int           // to how many peers
	written int           // pieces so far
	takes   time.Duration // how long it takes to write one, on average
}

// take notes that a piece is being written to a peer.
func (m *Machine) take(s *member, i item) {
	s.hand = hand{i, m.now, m.written}
	m.writing++
}

// left notes that the piece that was written to a peer is: if the peer is to relay it, it answers for it from now on.
func (m *Machine) left(s *member) {
	h := s.hand
	if h.Frame == nil {
		return
	}
	s.hand = hand{}
	m.writing--
	m.written++
	m.takes += (min(m.now.Sub(h.took), 2*m.takes+quietMin) - m.takes) / 8
	if h.Mode != Relay || h.block.source == nil {
		return
	}
	if p := &h.block.pieces[h.block.of[h.First]]; p.relay0 == s && p.left.IsZero() {
		p.left = m.now
	}
}

// blocked says whether a peer does not take what is written to it while others do, who get an equal part of our uplink: that is
// not why it lacks what waits for it.
func (m *Machine) blocked(s *member) bool {
	if s.hand.Frame == nil || m.now.Sub(s.hand.took) <= s.RTT+quietMin+4*m.takes {
		return false
	}
	return 2*m.writing <= len(m.order) || m.written-s.hand.after >= 2*len(m.order)
}

// answers is since when the first relay of a piece answers for it: since it has left, or since the relay takes nothing any
// more. Zero: it does not.
func (m *Machine) answers(b *block, p *piece) time.Time {
	if r := p.relay0; p.left.IsZero() && r != nil && m.blocked(r) && r.waits(b, p.first) {
		return r.hand.took
	}
	return p.left
}

// travel is the least time after which a member can miss what has left for a relay.
func travel(relay, s *member) time.Duration { return (relay.RTT+s.RTT)/2 + quietMin }
