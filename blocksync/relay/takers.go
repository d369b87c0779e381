// SPDX-License-Identifier: Apache-2.0

package relay

import "slices"

// A member that relays nothing, because it is mute, slow or thought to be, takes as much of a relay's uplink as one that relays its
// part. Where a third does, uplinks are full for half as long again, and queues in the network that stand for so long drop packets.
// So where many only take, these are sent pieces last: a while later, or when the block is here.

// gives notes that a member has sent us something of a block, new or not: what is late was lent before.
func (b *block) gives(s *member) {
	if b.announcedBy(s.ID) || b.givers[s] {
		return
	}
	if b.givers == nil {
		b.givers = map[*member]bool{}
	}
	b.givers[s] = true
}

// noteGivers takes a finished block as showing who relays, if it had something for everybody to relay, and most did.
func (m *Machine) noteGivers(b *block) {
	if b.tree.Count() >= 2*len(m.order) && 2*len(b.givers) > len(m.order) {
		m.givers = b.givers
	}
}

// findTakers finds who only takes, as far as the last block shows. A few are no burden: they are treated like all.
func (m *Machine) findTakers(b *block) {
	if m.givers == nil || m.inRows || m.Hidden || m.lodges { // in turns, members of an organization send to one of another
		return
	}
	takers := map[*member]bool{}
	for _, s := range m.order {
		if s.Connected && !s.Hidden && !s.Guest && !m.givers[s] && s.ID != b.From {
			takers[s] = true
		}
	}
	if len(takers)*takersPart > len(m.order) {
		b.takers = takers
	}
}

// servesLast says whether a member is to wait for its pieces of a block at the moment.
func (m *Machine) servesLast(b *block, t *member) bool { return b.takers[t] && m.tooSoon(b) }

// tooSoon says whether who only takes is not served yet. A receiver complains after twice as long.
func (m *Machine) tooSoon(b *block) bool {
	return !b.done && m.now.Sub(b.began) < (m.leastQuiet()+m.perSize(b))/2
}

// hold keeps a piece for a member back.
func (m *Machine) hold(t *member, b *block, f *Frame) {
	b.withheld = true
	t.held = append(t.held, item{f, b})
}

// serveTakers sends what was kept back.
func (m *Machine) serveTakers(b *block) {
	if !b.withheld || m.tooSoon(b) {
		return
	}
	b.withheld = false
	for t := range m.around {
		for _, i := range t.held {
			if i.block == b {
				m.send(t, b, i.Frame, false)
			}
		}
		t.held = slices.DeleteFunc(t.held, func(i item) bool { return i.block == b })
	}
}
