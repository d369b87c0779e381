// SPDX-License-Identifier: Apache-2.0

package relay

import "slices"

// forwards says whether a piece is one that we are to forward and have not: it asks for it, and its sender may.
func (m *Machine) forwards(s *member, b *block, f *Frame) bool {
	switch f.Mode {
	case Relay, Probe:
		return b.announcedBy(s.ID) && (!b.passed.holds(f.First, f.Count) || f.Mode == Probe)
	case Targeted:
		return b.announcedBy(s.ID) && b.again[f.First] < serveMost && len(f.Targets) > 0
	case WithinOrg:
		return s.Org == m.Org && !b.passed.holds(f.First, f.Count)
	case Final, Housed, IntoOrg:
		return len(f.Targets) > 0 && len(f.Targets) <= maxTargets && !b.passed.holds(f.First, f.Count)
	default:
		return f.Mode.alongRow() && !b.passed.holds(f.First, f.Count)
	}
}

// forward sends a verified piece on, as its mode says, and what is new to the hidden members of our organization.
func (m *Machine) forward(s *member, b *block, f *Frame, isNew bool) {
	if m.forwards(s, b, f) {
		switch f.Mode {
		case Relay:
			m.spread(s, b, f) // even what is here already: whoever brought it may have brought it to us alone
		case Probe:
			m.pass(b, f, Probed, func(t *member) bool { return t != s && m.feeds(b, t) })
			b.again = count(b.again, -1-f.First)
		case WithinOrg:
			mark(b.passed, f)
			m.pass(b, f, Final, func(t *member) bool { return t != s && t.Hidden && t.Org == m.Org && !b.announcedBy(t.ID) })
		case Targeted:
			b.again = count(b.again, f.First)
			m.pass(b, f, Final, func(t *member) bool { return t != s && slices.Contains(f.Targets, t.short) })
		case IntoOrg:
			mark(b.passed, f)
			m.swap(s, b, f)
		case Final, Housed:
			mark(b.passed, f)
			m.pass(b, f, Final, func(t *member) bool { return t != s && slices.Contains(f.Targets, t.short) })
		default:
			mark(b.passed, f)
			m.stats.Forwarded++
			m.alongRow(s, b, b.as(Final, f), f.Mode.bits())
		}
	}
	if isNew {
		m.carry(s, b, f)
	}
}

// carry sees to it that our organization, or others', get a piece that is new here, if that is left to us.
func (m *Machine) carry(s *member, b *block, f *Frame) {
	switch {
	case f.Mode == WithinOrg || f.Mode == Housed:
	case f.Mode == IntoOrg && m.Hidden:
		m.shareOut(s, b, f)
	case f.Mode == Final && s.Hidden && s.Org == m.Org && !b.announcedBy(s.ID): // it relays it, and sends it to the hidden ones itself
		m.lodge(b, b.as(Final, f), m.guests(b, s, false))
	default:
		m.shelter(b, f, s)
	}
}

func count(n map[int]int, key int) map[int]int {
	if n == nil {
		n = map[int]int{}
	}
	n[key]++
	return n
}

func mark(set Bitmap, f *Frame) {
	for i := f.First; i < f.First+f.Count; i++ {
		set.Set(i)
	}
}

// spread is the relay's part: a piece goes to every visible member but those who announced it. Members that we see but
// cannot reach are left to one of those that we can; in large networks, most are left to another.
func (m *Machine) spread(s *member, b *block, f *Frame) {
	mark(b.passed, f)
	m.stats.Forwarded++
	plain := b.as(Final, f)
	if m.inRows {
		m.spreadOverRows(s, b, plain)
		return
	}
	if len(m.order) > tiersAbove {
		m.spreadByRows(s, b, plain)
		return
	}
	lodged := m.lodge(b, plain, m.guests(b, s, true))
	var reach []*member
	var away []Short
	for t := range m.around {
		switch {
		case t == s || b.announcedBy(t.ID):
		case !t.Connected && !t.Hidden:
			away = append(away, t.short)
		case t.Connected && !m.foreign(t) && m.feeds(b, t) && !lodged[t.Org]:
			reach = append(reach, t)
		}
	}
	for i, t := range reach {
		g := plain
		if part := away[i*len(away)/len(reach) : (i+1)*len(away)/len(reach)]; len(part) > 0 {
			with := *plain
			with.Targets, g = part[:min(len(part), maxTargets)], &with
		}
		if g == plain && m.servesLast(b, t) {
			m.hold(t, b, plain)
			continue
		}
		m.send(t, b, g, false)
	}
}

// spreadByRows sends a piece to one member of each row of the view, another one for each piece, which passes it on to the
// rest of its row: a relay would take too long to send it to everybody. Rows are as long as each other, so that no connection
// inside one carries more than others.
func (m *Machine) spreadByRows(s *member, b *block, plain *Frame) {
	n := len(m.order)
	rows := (n + maxTargets) / (1 + maxTargets)
	own, _ := slices.BinarySearchFunc(m.order, m.Self, byID)
	for i := range rows {
		row := (i + own*rows/n) % rows
		var reach, away []*member
		for _, t := range m.order[row*n/rows : (row+1)*n/rows] {
			switch {
			case t == s || !m.feeds(b, t) || b.announcedBy(t.ID):
			case t.Connected:
				reach = append(reach, t)
			default:
				away = append(away, t)
			}
		}
		if len(reach) == 0 {
			continue
		}
		g := *plain
		head := reach[(plain.First+i)%len(reach)]
		for _, t := range append(reach, away...) {
			if t != head {
				g.Targets = append(g.Targets, t.short)
			}
		}
		m.send(head, b, &g, false)
	}
}

// pass sends a piece to some members.
func (m *Machine) pass(b *block, f *Frame, mode Mode, to func(*member) bool) {
	m.stats.Forwarded++
	plain := b.as(mode, f)
	for t := range m.around {
		if t.Connected && to(t) {
			m.send(t, b, plain, f.Mode == Targeted)
		}
	}
}

// cancel is a relay's part of a repair: somebody else sends these pieces to these members. Without targets it is about who sent it.
func (m *Machine) cancel(s *member, b *block, f *Frame) {
	switch {
	case len(f.Targets) == 0:
		m.declined(s, b, f)
		return
	case !b.announcedBy(s.ID):
		return
	}
	m.stats.Cancelled++
	for _, t := range m.order {
		if slices.Contains(f.Targets, t.short) {
			t.remove(func(i item) bool { return i.block == b && i.Mode == Final && f.Missing.touches(i.First, i.Count) })
		}
	}
}
