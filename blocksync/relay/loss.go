// SPDX-License-Identifier: Apache-2.0

package relay

import "github.com/weft-p2p/weft/internal/parity"

// Packets are lost on the way from a relay to one member. What many members lack of a relay is late for another reason: it is slow
// or mute, or got it late itself. And where many members are mute, the others have more to send than their uplinks hold.

// sight is what a source has seen of packet loss: of its blocks, those that more than a third of the members call lossy, and
// those that hardly any do. Where nothing is lost, parity would only be more bytes.
type sight struct {
	lossy, calm int // blocks in a row
	on          bool
}

// see takes the reports of one block. It reports whether that switches parity on or off.
func (s *sight) see(votes, total int) bool {
	switch {
	case 3*votes > total:
		s.lossy, s.calm = s.lossy+1, 0
	case 6*votes < total:
		s.lossy, s.calm = 0, s.calm+1
	default:
		s.lossy, s.calm = 0, 0
	}
	if s.on && s.calm >= calmBlocks || !s.on && s.lossy >= lossyBlocks {
		s.on = !s.on
		return true
	}
	return false
}

// observe sees what the members have reported of a block of ours: when all have, or after a while. Where much is lost, reports come
// later than relays are judged.
func (m *Machine) observe(b *block) {
	if b.source == nil || b.observed || m.now.Sub(b.since) < sightTime && len(b.reports) < m.receivers() {
		return
	}
	b.observed = true
	if b.Size < parityMin || m.NoParity || len(b.assigned) == 0 || b.refuted {
		return
	}
	reported, all := m.share(func(s *member) bool { return b.reports[s] != nil })
	if 4*reported < 3*all {
		return
	}
	lossy := b.sawLoss()
	if m.sight.see(m.share(func(s *member) bool { return lossy[s] })) {
		m.effects.Switched = true
	}
}

// sawLoss are the members that lacked something of good relays of which few others did.
func (b *block) sawLoss() map[*member]bool {
	lacked := make(map[*member]map[*member]bool) // who lacked something of a relay
	for s, lost := range b.lacks {
		for i := range b.pieces {
			if p := &b.pieces[i]; p.relay0 != nil && lost.touches(p.first, p.count) {
				if lacked[p.relay0] == nil {
					lacked[p.relay0] = map[*member]bool{}
				}
				lacked[p.relay0][s] = true
			}
		}
	}
	lossy := map[*member]bool{}
	for over, some := range lacked {
		if over.weight < 1 || len(some) > 1 && lossPart*len(some) > len(b.reports) {
			continue
		}
		for s := range some {
			lossy[s] = true
		}
	}
	return lossy
}

// Protecting says whether our blocks get parity.
func (m *Machine) Protecting() bool { return m.sight.on }

// Parity is how many shards of parity a block of ours is to be announced with, whose body has so many bytes. Small ones have
// none: their last hop is a packet; nor those that we send to everybody ourselves; nor big ones, or any to near members.
func (m *Machine) Parity(size int) int {
	all := 0
	for _, s := range m.order {
		if m.reached(s) && !s.Hidden && !(m.foreign(s) && s.hosts > 0) {
			all++
		}
	}
	if !m.sight.on || m.near || size < parityMin || all < 2 || all*size <= m.direct() {
		return 0
	}
	return parity.Share(size, parityShare)
}
