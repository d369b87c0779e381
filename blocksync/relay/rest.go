// SPDX-License-Identifier: Apache-2.0

package relay

import "time"

// rest is about what is missing of a block when almost all of it is here: packets that were lost, most likely, and what QUIC
// holds back because it was sent after them.
type rest struct {
	since time.Time // when little was missing for the first time
	asked time.Time // when last
	times int
	lost  Bitmap // what was missing when it was asked for first; nil: it was not
}

// few says whether something is missing, and no more than a part of the block.
func (b *block) few(part int) bool { return b.missing > 0 && b.missing*part <= b.tree.Count() }

// fetch asks some members for the rest if it does not come. They have it already, most likely, and answer sooner than QUIC sends
// again what was lost at the end of a relay's pieces. It is no complaint: announcers are not asked, and nobody is blamed. Among
// near members what is late waits for processors, and copies would, too.
func (m *Machine) fetch(b *block) {
	if m.near || b.done || !b.few(restPart) || b.rest.times == restTimes || !m.restIsLate(b) {
		return
	}
	b.rest.asked, b.rest.times = m.now, b.rest.times+1
	missing := b.lacking()
	if b.rest.lost == nil {
		b.rest.lost = NewBitmap(b.tree.Count())
		for _, leaf := range missing {
			b.rest.lost.Set(leaf)
		}
	}
	holders := m.holders(b, 1+len(missing)/leavesIn(restEach, b.Size))
	for i, s := range holders {
		f := &Frame{Kind: Want, Ref: b.ref, Missing: NewBitmap(b.tree.Count()), Have: append(Bitmap(nil), b.have...)}
		for _, leaf := range missing[i*len(missing)/len(holders) : (i+1)*len(missing)/len(holders)] {
			f.Missing.Set(leaf)
		}
		m.stats.Wants++
		m.tell(s, f)
	}
}

// restIsLate says whether the rest should have come: half a round trip after all but little of the block, and more for a big one
// or where all comes slowly. Then it is asked for again twice as often, of others: an answer may be lost as well.
func (m *Machine) restIsLate(b *block) bool {
	late := max(m.rtt()/2+m.perSize(b)/4, b.rest.since.Sub(b.began)/4)
	return m.now.Sub(b.rest.since) >= late && m.now.Sub(b.rest.asked) >= max(m.rtt(), late)/2
}

// lacking are the leaves that are not here.
func (b *block) lacking() (missing []int) {
	for i := range b.tree.Count() {
		if !b.have.Has(i) {
			missing = append(missing, i)
		}
	}
	return missing
}

// holders are at most so many random members that have not announced the block, and no more than may be asked at one time.
func (m *Machine) holders(b *block, most int) (some []*member) {
	for _, s := range m.order {
		if m.reached(s) && !b.announcedBy(s.ID) {
			some = append(some, s)
		}
	}
	m.Rand.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	if m.FanOut > 0 {
		most = min(most, max(2, m.FanOut))
	}
	return some[:min(most, len(some))]
}
