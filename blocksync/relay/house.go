// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"cmp"
	"slices"
)

// Hidden members are known to their own organization alone, and connect to the visible members of others all the same: there
// they are guests. A guest whose organization has a visible member is housed: nobody else has to serve it. It relays pieces to the visible
// members, who pass them on to one of their hidden members; and a piece that a visible member relays is sent to one of the organization,
// visible or not, who passes it on to the others. So each organization is sent one copy, and its members share that among themselves:
//
//	source --> guest ----------> visible members --> one hidden member of each --> the others
//	source --> visible member --> a member of each organization --> the hidden ones of its own, the visible ones of another
//
// Whoever announces a block has sent it once then: its own hidden members get it from others, as their guests.

// lookAfter counts the visible members of each organization, who serve those of its members that are guests here.
func (m *Machine) lookAfter() {
	visible := map[string]int{}
	for _, s := range m.order {
		if !s.Guest && !s.Hidden && (s.Connected || s.Far) {
			visible[s.Org]++
		}
	}
	m.lodges = false
	for _, s := range m.order {
		s.hosts = visible[s.Org]
		m.lodges = m.lodges || m.foreign(s) && s.Connected && s.hosts > 0
	}
}

// housed says whether its own organization brings a guest the pieces of a block: a visible member that does not announce it.
func (m *Machine) housed(b *block, s *member) bool {
	return m.foreign(s) && s.hosts > m.hostsAnnouncing(b, s.Org)
}

// hostsAnnouncing is how many visible members of an organization announce a block.
func (m *Machine) hostsAnnouncing(b *block, org string) (n int) {
	for _, a := range b.announcers {
		if s := m.members[a.id]; s != nil && a.org == org && !s.Guest && !s.Hidden && (s.Connected || s.Far) {
			n++
		}
	}
	return n
}

// feeds says whether a relay sends a member the pieces of a block: nobody else does.
func (m *Machine) feeds(b *block, s *member) bool {
	if s.Hidden {
		return m.Hidden && s.Org == m.Org
	}
	return !m.housed(b, s)
}

// foreign says whether a member is a guest of another organization.
func (m *Machine) foreign(s *member) bool { return s.Guest && s.Org != m.Org }

// guests are those of other organizations that a piece is sent to, by organization: all that can pass it on, or those that nobody houses.
func (m *Machine) guests(b *block, from *member, all bool) (some []*member) {
	for _, t := range m.order {
		if t == from || !t.Connected || !m.foreign(t) || b.announcedBy(t.ID) {
			continue
		}
		if !m.housed(b, t) || all && !m.now.Before(t.behind) {
			some = append(some, t)
		}
	}
	slices.SortStableFunc(some, func(a, b *member) int { return cmp.Compare(a.Org, b.Org) })
	return some
}

// lodge sends a piece to one guest of each organization, another one for each piece, which passes it on to the others. Of an organization
// that houses its guests it may be the turn of the visible members instead; where it is not, lodge returns the organization, for they
// get the piece from their guest.
func (m *Machine) lodge(b *block, plain *Frame, guests []*member) (lodged map[string]bool) {
	if b.entry++; b.entry == 1 { // so that relays do not begin at the same ones
		b.entry += m.Rand.IntN(1 << 16)
	}
	lodged = map[string]bool{}
	var heads []*member
	for len(guests) > 0 {
		n, housed := 1, m.housed(b, guests[0])
		for n < len(guests) && guests[n].Org == guests[0].Org && (housed || n <= maxTargets) {
			n++
		}
		if housed {
			if k := b.entry % (n + 1); k < n {
				lodged[guests[k].Org] = true
				heads = append(heads, guests[k])
			}
		} else {
			head := guests[b.entry%n]
			m.send(head, b, b.over(plain, head, guests[:n]), false)
		}
		guests = guests[n:]
	}
	m.enter(b, plain, heads)
	return lodged
}

// enter sends a piece to one member of each of several organizations, which passes it on to the others of its own. To the visible ones of
// its own it would send most of a body over one connection, whose window would hold it up: these get it from that of another
// organization, any one for each piece. Of few organizations one hidden member that passes nothing on would delay too many. Organizations
// whose visible members sent nothing of the last block keep to themselves: they may not tell who of their hidden ones is mute.
func (m *Machine) enter(b *block, plain *Frame, heads []*member) {
	var swap []*member
	var hosts [][]Short
	for _, s := range heads {
		if of, ok := m.hostsOf(s.Org); ok && len(of) <= maxTargets {
			swap, hosts = append(swap, s), append(hosts, of)
		} else {
			m.send(s, b, b.as(IntoOrg, plain), false)
		}
	}
	n := len(swap)
	by := 1 + m.Rand.IntN(max(1, n-1))
	for i, s := range swap {
		f := b.as(IntoOrg, plain)
		if n >= swapLeast {
			f.Targets = hosts[(i+by)%n]
		}
		m.send(s, b, f, false)
	}
}

// hostsOf are the visible members of an organization; ok says that each of them sent us something of the last block that shows it.
func (m *Machine) hostsOf(org string) (some []Short, ok bool) {
	ok = true
	for _, s := range m.order {
		if s.Org == org && !s.Guest && !s.Hidden && (s.Connected || s.Far) {
			some, ok = append(some, s.short), ok && (m.givers == nil || m.givers[s])
		}
	}
	return some, ok
}

// over is a piece for one of some members that is to pass it on to the others.
func (b *block) over(f *Frame, head *member, some []*member) *Frame {
	g := b.as(Final, f)
	for _, t := range some {
		if t != head {
			g.Targets = append(g.Targets, t.short)
		}
	}
	return g
}

// shareOut sends a piece that came from another organization to all of ours, but to the visible ones only if they get it from nobody else.
func (m *Machine) shareOut(s *member, b *block, f *Frame) {
	lacks := func(t *member) bool { return t != s && t.Org == m.Org && !b.announcedBy(t.ID) }
	m.pass(b, f, Final, func(t *member) bool { return t.Hidden && lacks(t) })
	if len(f.Targets) == 0 {
		m.pass(b, f, Housed, func(t *member) bool { return !t.Hidden && lacks(t) })
	}
}

// swap sends a piece to the visible members of another organization, whose hidden ones have it from there. Whom we do not reach gets
// it over one of ours.
func (m *Machine) swap(s *member, b *block, f *Frame) {
	far := b.as(Final, f)
	for _, name := range f.Targets {
		switch t := m.shorts[name]; {
		case t == nil || !t.Connected:
			far.Targets = append(far.Targets, name)
		case t != s && !b.announcedBy(t.ID):
			m.send(t, b, b.as(Housed, f), false)
		}
	}
	over := slices.IndexFunc(m.kin, func(t *member) bool { return t != s && !b.announcedBy(t.ID) })
	if over >= 0 && len(far.Targets) > 0 {
		m.send(m.kin[over], b, far, false)
	}
}

// shelter sends a piece to one hidden member of our organization, which forwards it to the others. The visible members of
// the organization that do not announce the block share the pieces out by position.
func (m *Machine) shelter(b *block, f *Frame, from *member) {
	if m.Hidden || len(m.hidden) == 0 || b.source != nil {
		return
	}
	if mine, of := m.part(b); f.First/f.Count%of == mine {
		m.house(b, f, from)
	}
}

// house sends a piece to a hidden member of our organization that may lack it.
func (m *Machine) house(b *block, f *Frame, from *member) {
	to := m.freest(b, func(s *member) bool { return s != from && !b.announcedBy(s.ID) })
	if to != nil {
		m.send(to, b, b.as(WithinOrg, f), false)
	}
}

// doubt notes that who is to pass pieces of a block on cannot judge it yet: it may be catching up.
func (m *Machine) doubt(s *member, b *block) {
	if s.Hidden || m.foreign(s) && b.source == nil {
		s.behind = m.now.Add(behindTime)
	}
}

// freest is the hidden member of our organization for whom least waits, of several the next in turn: a slow connection gets less. Who
// cannot judge our blocks is the last.
func (m *Machine) freest(b *block, which func(*member) bool) (to *member) {
	b.orgNext++
	for i := range m.hidden {
		s := m.hidden[(b.orgNext+i)%len(m.hidden)]
		if which(s) && (to == nil || m.freer(s, to)) {
			to = s
		}
	}
	return to
}

func (m *Machine) freer(a, b *member) bool {
	if behind := m.now.Before(a.behind); behind != m.now.Before(b.behind) {
		return !behind
	}
	return a.bytes < b.bytes
}

// part is our place among the visible members of our organization that share its hidden ones for a block, and how many these are.
func (m *Machine) part(b *block) (mine, of int) {
	of = 1
	for _, s := range m.kin {
		if b.announcedBy(s.ID) {
			continue
		}
		if of++; s.ID < m.Self {
			mine++
		}
	}
	return mine, of
}

// alone says whether nobody but us, who announce a block, brings our hidden members its pieces: no visible member of our organization
// is there besides, and hidden members have no connections to others here, or ours have lately got nothing over them.
func (m *Machine) alone(b *block) bool {
	if m.Hidden || len(m.hidden) == 0 {
		return false
	}
	if slices.ContainsFunc(m.hidden, func(s *member) bool { return m.now.Before(s.forlorn) }) {
		return true
	}
	_, of := m.part(b)
	return of == 1 && !m.lodges
}

// deplore notes that a hidden member of ours complains of a good part of our block: for a while we serve it ourselves.
func (m *Machine) deplore(s *member, b *block, f *Frame) {
	if s.Hidden && s.Org == m.Org && f.Missing.Count()*forlornPart > b.tree.Count() {
		s.forlorn = m.now.Add(forlornTime)
	}
}
