// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"maps"
	"time"

	"github.com/weft-p2p/weft/internal/fair"
)

// serving is who was served what lately: identities, so that several host keys of one get no more than one.
type serving struct {
	served map[service]serves
}

type service struct {
	to    fair.Owner
	first int
}

type serves struct {
	at    time.Time
	times int
}

// may says whether a member's identity may get a piece once more.
func (m *Machine) may(b *block, to *member, first int) bool {
	v := b.served[service{to.owner(), first}]
	return v.times == 0 || v.times < serveMost && m.now.Sub(v.at) >= servedAgain
}

// serve sends a member a piece, and counts it.
func (m *Machine) serve(b *block, to *member, f *Frame) {
	m.count(b, to, f.First)
	m.send(to, b, f, true)
}

func (m *Machine) count(b *block, to *member, first int) {
	if b.served == nil {
		b.served = map[service]serves{}
	}
	b.served[service{to.owner(), first}] = serves{m.now, b.served[service{to.owner(), first}].times + 1}
	m.stats.Repairs++
}

// wanted takes a complaint. An announcer collects it, anybody else serves what is here.
func (m *Machine) wanted(s *member, b *block, f *Frame) {
	switch {
	case f.Missing == nil:
		m.doubt(s, b)
		if crown, ok := b.tree.Crown(nil); ok && b.Sealed != nil {
			m.tell(s, &Frame{Kind: Announce, Ref: b.ref, Data: b.Sealed, Proof: crown})
		}
	case b.refuted || b.without || len(f.Missing) != len(b.have):
		return
	}
	if b.done && m.now.Sub(b.began) < lingerMost { // it is still needed
		b.doneAt = m.now
	}
	switch {
	case f.Missing == nil:
	case b.source != nil:
		m.complaint(s, b, f)
	default:
		m.lend(s, b, f)
	}
}

// lend serves what is here to a member whose announcers do not, run by run, as long as little waits.
func (m *Machine) lend(s *member, b *block, f *Frame) {
	most := max(1, pieceMax/m.leafSize(b))
	for i := 0; i < b.tree.Count() && s.bytes < backlogMax; i++ {
		if !f.Missing.Has(i) || !b.have.Has(i) {
			continue
		}
		n := 1
		for n < most && f.Missing.Has(i+n) && b.have.Has(i+n) {
			n++
		}
		if m.may(b, s, i) && !m.busy() {
			m.lendRun(s, b, i, n)
		}
		i += n - 1
	}
}

// lendRun sends leaves in as few pieces as what is known of the tree allows.
func (m *Machine) lendRun(s *member, b *block, first, count int) {
	if f, ok := b.cut(Final, first, count); ok {
		m.serve(b, s, f)
		return
	}
	if count > 1 {
		m.lendRun(s, b, first, count/2)
		m.lendRun(s, b, first+count/2, count-count/2)
	}
}

func (m *Machine) leafSize(b *block) int { return max(1, b.tree.Leaf(0, 1)) }

// complaint collects what a member lacks.
func (m *Machine) complaint(s *member, b *block, f *Frame) {
	m.deplore(s, b, f)
	for i := range b.pieces {
		p := &b.pieces[i]
		switch {
		case f.Missing.touches(p.first, p.count):
			if p.complained == nil {
				p.complained = map[*member]time.Time{}
			}
			p.complained[s] = m.now
			if m.may(b, s, p.first) {
				if p.wanted == nil {
					p.wanted = map[*member]bool{}
				}
				p.wanted[s] = true
			}
		case p.spreading && p.relay == p.relay0 && f.Have.holds(p.first, p.count):
			p.relay.proven++
		}
	}
	if soon := m.now.Add(collect); b.collectAt.IsZero() || soon.Before(b.collectAt) {
		b.collectAt = soon
	}
}

// repair answers what was collected.
func (m *Machine) repair(b *block) {
	if b.source == nil || b.collectAt.IsZero() || m.now.Before(b.collectAt) || b.body == nil && b.Size > 0 {
		return
	}
	b.collectAt = time.Time{}
	m.blame(b)
	good := m.helpers(b)
	at := 0
	if len(good) > 0 {
		at = m.Rand.IntN(len(good))
	}
	next := func() *member {
		at++
		return good[at%len(good)]
	}
	if len(good) > 0 {
		m.move(b, next)
	}
	for i := range b.pieces {
		p := &b.pieces[i]
		if len(p.wanted) > 0 && m.slow(b, p) {
			b.collectAt = m.now.Add(askTogether)
			continue
		}
		p.early()
		m.repairWithin(b, p)
		if len(p.wanted) == 0 {
			continue
		}
		if m.busy() {
			b.collectAt = m.now.Add(collect)
			return
		}
		switch {
		case len(p.wanted) <= directWanters || len(good) == 0:
			m.repairDirect(b, p)
		case m.inRows:
			m.repairOverRows(b, p, next())
		default:
			m.repairOver(b, p, next())
		}
		p.wanted = nil
	}
}

// slow says whether a piece waits for its relay because our uplink is slow.
func (m *Machine) slow(b *block, p *piece) bool {
	return p.relay != nil && p.relay.waits(b, p.first) && (b.most.IsZero() || m.now.Before(b.most.Add(p.relay.RTT)))
}

// early takes back what was asked for while it was on its way.
func (p *piece) early() {
	if p.relay0 == nil || p.relay != p.relay0 || p.left.IsZero() {
		return
	}
	maps.DeleteFunc(p.wanted, func(s *member, _ bool) bool { return p.complained[s].Sub(p.left) < travel(p.relay0, s) })
}

// blame counts a piece against its first relay once more than a third of the members complained about it, whenever they
// did, after it could have reached them. If most relays are complained about, it is congestion, and nobody's fault.
func (m *Machine) blame(b *block) {
	for i := range b.pieces {
		p := &b.pieces[i]
		if p.relay0 == nil || len(p.complained) == 0 || b.excused[p.relay0] || b.complain[p.relay0][i] {
			continue
		}
		lacks := func(s *member) bool { _, ok := p.complained[s]; return ok && !(b.alone && s.Hidden) } // those get it from us
		if !m.third(lacks) {
			continue
		}
		b.lacked[p.relay0] = true
		since := b.answers(p)
		if !since.IsZero() && m.third(func(s *member) bool { return lacks(s) && p.complained[s].Sub(since) >= travel(p.relay0, s) }) {
			if b.complain[p.relay0] == nil {
				b.complain[p.relay0] = map[int]bool{}
			}
			b.complain[p.relay0][i] = true
			p.relay0.proven = 0
		}
	}
	b.blameless = 2*len(b.lacked) > len(b.assigned)
}

// third says whether more than a third of the members do so.
func (m *Machine) third(voters func(*member) bool) bool {
	votes, total := m.share(voters)
	return 3*votes > total
}

// bad says whether a relay has failed with this block.
func (b *block) bad(s *member) bool { return !b.blameless && len(b.complain[s]) > 0 || b.excused[s] }

// helpers are the relays to repair over: those that are known to forward, if there are any.
func (m *Machine) helpers(b *block) (good []*member) {
	var weak []*member
	for _, s := range m.mates(m.order) {
		if !m.reached(s) || s.Hidden || s.Guest || b.bad(s) || s.weight < dropWeight || b.announcedBy(s.ID) {
			continue
		}
		weak = append(weak, s)
		if s.proven > 0 {
			good = append(good, s)
		}
	}
	if len(good) == 0 {
		return weak
	}
	return good
}

// move takes pieces that have not left yet away from relays that have failed.
func (m *Machine) move(b *block, next func() *member) {
	for i := range b.pieces {
		p := &b.pieces[i]
		if p.relay0 == nil || p.relay != p.relay0 || !b.bad(p.relay0) {
			continue
		}
		if !p.relay0.unqueue(b, p.first) && !b.excused[p.relay0] {
			continue
		}
		if f, ok := b.cut(Relay, p.first, p.count); ok {
			p.relay = next()
			m.stats.Repairs++
			m.send(p.relay, b, f, false)
		}
	}
}

func (m *Machine) repairDirect(b *block, p *piece) {
	f, ok := b.cut(Final, p.first, p.count)
	if !ok {
		return
	}
	for s := range m.around {
		if p.wanted[s] && s.bytes < backlogMax {
			m.serve(b, s, f)
		}
	}
}

// repairWithin sends a piece that several of our hidden members want to one of them, which passes it on: relays may not reach them.
func (m *Machine) repairWithin(b *block, p *piece) {
	var some []*member
	for _, s := range m.hidden {
		if p.wanted[s] {
			some = append(some, s)
		}
	}
	if len(some) < 2 || len(p.wanted) <= directWanters || m.busy() {
		return
	}
	f, ok := b.cut(WithinOrg, p.first, p.count)
	if !ok {
		return
	}
	for _, s := range some {
		delete(p.wanted, s)
		m.count(b, s, p.first)
	}
	m.send(some[m.Rand.IntN(len(some))], b, f, true)
}

// repairOver sends a piece over another relay to exactly those who want it, and tells the old one not to.
func (m *Machine) repairOver(b *block, p *piece, over *member) {
	f, ok := b.cut(Targeted, p.first, p.count)
	if !ok {
		return
	}
	for s := range m.around {
		if p.wanted[s] {
			f.Targets = append(f.Targets, s.short)
			m.count(b, s, p.first)
		}
	}
	if p.relay != nil && p.relay != over {
		c := &Frame{Kind: Cancel, Ref: b.ref, Missing: NewBitmap(b.tree.Count()), Targets: f.Targets}
		mark(c.Missing, f)
		m.tell(p.relay, c)
	}
	p.relay = over
	m.send(over, b, f, true)
}

// excuse takes all pieces away from a relay that cannot judge the announcement: it forwards nothing, and is not at fault.
func (m *Machine) excuse(s *member, b *block) {
	if b.excused[s] || b.assigned[s] == 0 {
		return
	}
	b.excused[s], s.behind = true, m.now.Add(behindTime)
	if b.collectAt.IsZero() {
		b.collectAt = m.now
	}
}
