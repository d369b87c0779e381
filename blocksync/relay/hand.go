// SPDX-License-Identifier: Apache-2.0

package relay

import "time"

// left notes that what Next gave last for a peer is written: if the peer is to pass it on, it answers for it from now on.
func (m *Machine) left(s *member) {
	i := s.hand
	s.hand = item{}
	b := i.block
	switch {
	case i.Frame == nil:
		return
	case i.Mode == WithinOrg:
		m.entrust(s, b, i.Frame)
		return
	case i.Mode != Relay || b.source == nil:
		return
	}
	p := &b.pieces[b.of[i.First]]
	if p.relay0 != s || !p.left.IsZero() {
		return
	}
	p.left = m.now
	b.sent[s]++
	if b.sent[s] == b.assigned[s] {
		b.supplied++
		m.sentAll(b, s)
	}
	if b.most.IsZero() && 2*b.supplied >= len(b.assigned) {
		b.most = m.now
	}
}

// answers is since when the first relay of a piece answers for it: since it has left, or, if it still waits, since the relay
// could have taken it as most others have taken theirs: each gets an equal part of our uplink. Zero: it does not.
func (b *block) answers(p *piece) time.Time {
	if r := p.relay0; p.left.IsZero() && r != nil && !b.most.IsZero() && r.waits(b, p.first) {
		return b.most.Add(r.RTT)
	}
	return p.left
}

// travel is the least time after which a member can miss what has left for a relay.
func travel(relay, s *member) time.Duration { return (relay.RTT+s.RTT)/2 + quietMin }
