// SPDX-License-Identifier: Apache-2.0

package relay

import "slices"

// A leader that stands by has the body, and needs only to see that it spreads. It picks a few runs of leaves to watch, which the
// source is not told, and asks everybody else not to send it the others: where each organization has a leader, they are many, and what they do not get leaves
// room for those who need it. The last run is always watched, since a source that stops leaves out the end.

// decline asks for all of a block but what is to be watched not to be sent here, once somebody has announced it, if that spares
// more than it costs. Hidden members that get it from us need all of it.
func (m *Machine) decline(b *block) {
	p := b.pending
	if p == nil || p.declined != nil || len(b.announcers) == 0 || m.Hidden || len(m.hidden) > 0 {
		return
	}
	n := b.tree.Count()
	if b.Size < declineEach*len(m.order) || b.Size*len(m.order) <= m.direct() || n < watchRuns {
		return
	}
	p.declined = NewBitmap(n)
	for i := range n {
		p.declined.Set(i)
	}
	watched := append(m.Rand.Perm(watchRuns - 1)[:watchRuns/watchPart], watchRuns-1)
	for _, run := range watched {
		for i := run * n / watchRuns; i < (run+1)*n/watchRuns; i++ {
			p.declined.Clear(i)
		}
	}
	for s := range m.around {
		if s.Connected && !b.announcedBy(s.ID) {
			m.tell(s, &Frame{Kind: Cancel, Ref: b.ref, Missing: slices.Clone(p.declined)})
		}
	}
}

// declined notes what a member does not want of a block, and takes back what waits of that. What it has to pass on it gets all
// the same, and what it asks for.
func (m *Machine) declined(s *member, b *block, f *Frame) {
	if b.declines == nil {
		b.declines = map[*member]Bitmap{}
	}
	b.declines[s] = slices.Clone(f.Missing[:min(len(f.Missing), len(b.have))])
	s.remove(func(i item) bool { return i.block.base() == b && i.block.unwanted(s, i.Frame) })
}

// unwanted says whether a member has said that it does not want a piece. Who has the body needs no parity of it.
func (b *block) unwanted(s *member, f *Frame) bool {
	leaves, ok := b.base().declines[s]
	return ok && (f.Mode == Final || f.Mode == Housed) && len(f.Targets) == 0 && (b.isGuard() || leaves.holds(f.First, f.Count))
}
