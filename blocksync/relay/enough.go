// SPDX-License-Identifier: Apache-2.0

package relay

// enough tells who sends a piece of a block that is done here, once, that we have it. A relay whose connection to us is slow may
// hold most of its part for us when others have lent that already; the pieces of the next block would wait behind it. A leader
// that stands by needs the pieces: they show that the block spreads. And who has computed a block judges relays by when they come.
func (m *Machine) enough(s *member, b *block, f *Frame) {
	if f.Mode != Final || len(f.Targets) > 0 || b.pending != nil || b.told[s] || b.isGuard() || b.rebuild.unseen != nil {
		return
	}
	if b.told == nil {
		b.told = map[*member]bool{}
	}
	b.told[s] = true
	m.tell(s, &Frame{Kind: Done, Ref: b.ref})
}

// spare takes back what waits for a member that has a block, of its parity as well, but for what others are to get from it.
func (s *member) spare(b *block) {
	s.remove(func(i item) bool {
		return i.block.base() == b && i.Mode == Final && len(i.Targets) == 0
	})
}
