// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"cmp"
	"slices"
	"time"

	"github.com/weft-p2p/weft/internal/grid"
)

// In rows most members are not connected to who announced a block. They ask their partners in its source's row for what is
// missing, who have had every piece first; where these do not answer, others, those that have given something before.

// lending is whom we ask at the moment.
type lending struct {
	lenders   []*member
	lendersAt time.Time // when they were chosen
}

// partners are the members that we are connected to in the row of a block's source; none if it is ours.
func (m *Machine) partners(b *block) (some []*member) {
	if !m.inRows {
		return nil
	}
	from := grid.Row(grid.Point(b.From), m.bits)
	if from == m.ownRow(m.bits) {
		return nil
	}
	for _, s := range m.rows[from] {
		if s.Connected {
			some = append(some, s)
		}
	}
	return some
}

// askAround is one of those to ask for a leaf, or all at the third try; afresh says that others may be chosen.
func (m *Machine) askAround(b *block, afresh bool, leaf int) []*member {
	if len(b.lenders) == 0 || afresh && m.now.Sub(b.lendersAt) >= m.answerTime(b) {
		m.thank(b)
		b.lenders = m.chooseLenders(b)
		b.lendersAt = m.now
	}
	if len(b.lenders) == 0 {
		return nil
	}
	if b.tries(leaf) >= 3 {
		return b.lenders
	}
	return []*member{b.lenders[leaf/16%len(b.lenders)]}
}

// answerTime is how long a lender may take.
func (m *Machine) answerTime(b *block) time.Duration { return m.rtt()*5/4 + 2*tick + m.perSize(b) }

// thank counts who of the last that were asked has sent something since.
func (m *Machine) thank(b *block) {
	for _, s := range b.lenders {
		if s.fault++; s.gave.After(b.lendersAt) {
			s.fault = 0
		}
	}
}

// chooseLenders chooses partners that were not asked in vain, or else of all those that were so least often, who have given
// something first, by chance. At first they are of other rows, since ours lacks the same, and later half of them.
func (m *Machine) chooseLenders(b *block) (some []*member) {
	for _, s := range m.partners(b) {
		if s.fault == 0 {
			some = append(some, s)
		}
	}
	if len(some) > 0 {
		return some
	}
	mates := lendersAtOnce / 2
	if b.lendersAt.IsZero() {
		mates = 0
	}
	for _, s := range m.likely() {
		if m.inRow(s, m.bits) {
			mates--
			if mates < 0 {
				continue
			}
		}
		if some = append(some, s); len(some) == lendersAtOnce {
			break
		}
	}
	return some
}

// likely are those who may have what we lack, the likeliest first.
func (m *Machine) likely() []*member {
	all := slices.DeleteFunc(slices.Clone(m.order), func(s *member) bool { return !s.Connected || s.Hidden })
	m.Rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	never := func(s *member) int {
		if s.gave.IsZero() {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(all, func(a, b *member) int { return cmp.Or(a.fault-b.fault, never(a)-never(b)) })
	return all
}
