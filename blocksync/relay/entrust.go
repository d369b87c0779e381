// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"slices"
	"time"
)

// A visible member entrusts pieces to hidden members of its organization, who pass them on to the others. These report to it what was late, as
// receivers do to a source. Who passes nothing on gets nothing to pass on for a while, twice as long each time, and the visible
// members of other organizations are told, since it is their guest: of its own members each organization says so itself.

// trust is what a block tells of the hidden members of our organization.
type trust struct {
	given    map[*member]Bitmap
	reported map[*member]Bitmap // what was late at each, by its report
	weighed  bool
	since    time.Time
}

// entrust notes that a piece has left for a hidden member that is to pass it on. What came late, or waited here for as long as others wait
// before they complain, is late there, too.
func (m *Machine) entrust(to *member, b *block, f *Frame) {
	if b.isGuard() || b.trust.weighed || b.tries(f.First) > 0 || m.now.Sub(b.began.Add(b.arrived[f.First])) > m.leastQuiet()+m.perSize(b) {
		return
	}
	if b.trust.given == nil {
		b.trust.given, b.trust.reported, b.trust.since = map[*member]Bitmap{}, map[*member]Bitmap{}, m.now
	}
	if b.trust.given[to] == nil {
		b.trust.given[to] = NewBitmap(b.tree.Count())
	}
	mark(b.trust.given[to], f)
}

// reportedWithin takes the report of a hidden member of our organization.
func (m *Machine) reportedWithin(s *member, b *block, f *Frame) {
	if !s.Hidden || s.Org != m.Org || b.trust.given == nil || b.trust.reported[s] != nil || len(f.Missing) != len(b.have) {
		return
	}
	b.trust.reported[s] = f.Missing
	m.weigh(b)
}

// weigh judges those who were entrusted with pieces of a block, once: when all others have reported, or after a while.
func (m *Machine) weigh(b *block) {
	if b.trust.given == nil || b.trust.weighed {
		return
	}
	late := m.now.Sub(b.trust.since) >= 2*reportQuiets*(m.quiet+m.perSize(b))
	var failed []*member
	for s := range b.trust.given {
		switch votes, of := b.against(s); {
		case !late && (of < len(m.hidden)-1 || votes == 1 && b.trust.reported[s] == nil):
			return
		case 2*votes > of && (votes > 1 || b.trust.reported[s] == nil): // one word against another's is not enough
			failed = append(failed, s)
		}
	}
	b.trust.weighed = true
	if len(failed) > 1 && len(failed) == len(b.trust.given) { // it is nobody's fault
		return
	}
	for s := range b.trust.given {
		if slices.Contains(failed, s) {
			m.lapse(s)
		} else if len(b.trust.reported) > 0 {
			s.lapses, s.weight = 0, 1
		}
	}
	m.disown(b)
}

// against is how many others lacked most of what a member was to pass on, and how many have reported.
func (b *block) against(s *member) (votes, of int) {
	for t, late := range b.trust.reported {
		if t == s {
			continue
		}
		of++
		lacked := 0
		for i, word := range b.trust.given[s] {
			lacked += Bitmap{word & late[i]}.Count()
		}
		if 2*lacked > b.trust.given[s].Count() {
			votes++
		}
	}
	return votes, of
}

// lapse gives a member nothing to pass on for a while.
func (m *Machine) lapse(s *member) {
	m.stats.Strikes++
	s.weight = 0
	s.behind = m.now.Add(behindTime << s.lapses)
	s.lapses = min(maxFails, s.lapses+1)
}

// disown tells the visible members of other organizations who of ours passes nothing on, again before they forget.
func (m *Machine) disown(b *block) {
	f := &Frame{Kind: Unready, Ref: b.ref}
	for _, s := range m.hidden {
		if s.lapses > 0 && m.now.Before(s.behind) && len(f.Targets) < maxTargets {
			f.Targets = append(f.Targets, s.short)
		}
	}
	if len(f.Targets) == 0 {
		return
	}
	for _, t := range m.order {
		if t.Connected && !t.Hidden && !t.Guest && t.Org != m.Org {
			m.tell(t, f)
		}
	}
}

// disowned takes a visible member's word about guests of its organization.
func (m *Machine) disowned(by *member, f *Frame) {
	for _, t := range f.Targets {
		if s := m.shorts[t]; s != nil && m.foreign(s) && s.Org == by.Org && !by.Guest {
			s.behind = m.now.Add(behindTime)
		}
	}
}
