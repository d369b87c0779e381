// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"cmp"
	"math"
	"slices"

	"github.com/weft-p2p/weft/internal/grid"
)

// Networks in which not everybody is to be connected to everybody stand in rows (package grid). The source sends each piece
// to a member of its own row, which forwards it to its row and to one member of each other row, which forwards it along that
// row. Who is connected decides, not who ought to be: whoever is connected to a member of a row reaches the row.

// along is the mode of a piece or announcement that is to be passed on along the receiver's row, where so many bits name a row.
func along(bits int) Mode { return Along + Mode(bits) }

// bits is how many bits name a row.
func (m Mode) bits() int { return int(m - Along) }

// row is the row of a member, where so many bits name it.
func (s *member) row(bits int) int { return grid.Row(uint64(s.short), bits) }

func (m *Machine) ownRow(bits int) int { return grid.Row(grid.Point(m.Self), bits) }

// settle finds out whether the network stands in rows: it does when a member is not to be connected to us, or where many guests are. Members of
// other organizations see the visible members only.
func (m *Machine) settle() {
	visible, guests, far := 0, 0, false
	for _, s := range m.order {
		switch {
		case s.Guest:
			guests++
		case !s.Hidden:
			visible++
			far = far || s.Far
		}
	}
	m.inRows = !m.Hidden && (far || guests > 0 && guests+visible > guestsAbove)
	m.bits, m.rows, m.seat = grid.Bits(visible+1), nil, 0
	if m.inRows {
		m.lineUp()
	}
}

// lineUp sorts the members of each row by point.
func (m *Machine) lineUp() {
	m.rows = make([][]*member, 1<<m.bits)
	self, own := grid.Point(m.Self), m.ownRow(m.bits)
	for _, s := range m.order {
		if !s.Hidden && !s.Guest {
			m.rows[s.row(m.bits)] = append(m.rows[s.row(m.bits)], s)
		}
	}
	for _, row := range m.rows {
		slices.SortFunc(row, func(a, b *member) int { return cmp.Or(cmp.Compare(a.short, b.short), cmp.Compare(a.ID, b.ID)) })
	}
	for _, s := range m.rows[own] {
		if uint64(s.short) < self {
			m.seat++
		}
	}
}

// inRow says whether a member stands in our row.
func (m *Machine) inRow(s *member, bits int) bool {
	return s.Connected && !s.Hidden && s.row(bits) == m.ownRow(bits)
}

// goesTo says whether a member is to be sent what of a block goes along our row: a guest only if its organization does not bring it that.
func (m *Machine) goesTo(b *block, s *member, bits int) bool {
	return m.inRow(s, bits) && !m.housed(b, s) && !b.announcedBy(s.ID)
}

// heads is a connected member of each other row, from the one after ours on: the partner at x of our part of the row, or
// anybody if we are not connected to it.
func (m *Machine) heads(x float64, without *member) (heads []*member) {
	own := m.ownRow(m.bits)
	for i := 1; i < len(m.rows); i++ {
		row := m.rows[(own+i)%len(m.rows)]
		if len(row) == 0 {
			continue
		}
		fits := func(s *member) bool { return s.Connected && s != without }
		head := row[grid.Partner(m.seat, len(m.rows[own])+1, len(row), x)]
		if !fits(head) {
			k := slices.IndexFunc(row, fits)
			if k < 0 {
				continue
			}
			head = row[k]
		}
		heads = append(heads, head)
	}
	return heads
}

// turn goes over the parts of our place in turns, evenly whenever it stops.
func (m *Machine) turn() float64 {
	const golden = 0.618033988749895
	_, m.turned = math.Modf(m.turned + golden)
	return m.turned
}

// spreadOverRows is a relay's part in a network that stands in rows: first a member of each other row, another one for each
// piece where we have several partners, then our own row.
func (m *Machine) spreadOverRows(source *member, b *block, plain *Frame) {
	head := *plain
	head.Mode = along(m.bits)
	for _, s := range m.heads(m.turn(), source) {
		m.send(s, b, &head, false)
	}
	m.alongRow(source, b, plain, m.bits)
}

// alongRow sends a piece to all of our row that may lack it.
func (m *Machine) alongRow(from *member, b *block, plain *Frame, bits int) {
	for s := range m.around {
		if s != from && m.goesTo(b, s, bits) {
			m.send(s, b, plain, false)
		}
	}
}

// announceOverRows sends the announcement of a block to a member of each other row, who passes it on along it, to our own row, and to the
// hidden members of our organization.
func (m *Machine) announceOverRows(b *block, f *Frame) {
	head := *f
	head.Mode = along(m.bits)
	for _, s := range m.heads(m.turn(), nil) {
		m.tell(s, &head)
	}
	for s := range m.around {
		if m.goesTo(b, s, m.bits) || m.reached(s) && s.Hidden {
			m.tell(s, f)
		}
	}
}

// mates are the members to relay over: those of our own row, since their partners in other rows differ. If there are hardly
// any, it is everybody but guests, who stand in no row.
func (m *Machine) mates(all []*member) []*member {
	if !m.inRows {
		return all
	}
	var row, rest []*member
	for _, s := range all {
		switch {
		case s.Guest:
		case m.inRow(s, m.bits):
			row = append(row, s)
		default:
			rest = append(rest, s)
		}
	}
	if len(row) < len(rest)/16+1 {
		return append(row, rest...)
	}
	return row
}

// grain is how many relays a body is cut for: in rows a piece takes three hops, and smaller ones fill them better.
func (m *Machine) grain(relays int) int {
	if m.inRows {
		return 3 * relays
	}
	return relays
}

// repairOverRows sends a piece that many of our neighbours lack over another relay to everybody: so do those whom we do not
// hear. What few lack is theirs.
func (m *Machine) repairOverRows(b *block, p *piece, over *member) {
	if 3*len(p.wanted) < m.receivers() {
		m.repairDirect(b, p)
		return
	}
	f, ok := b.cut(Relay, p.first, p.count)
	if !ok {
		return
	}
	for s := range p.wanted {
		m.count(b, s, p.first)
	}
	p.relay = over
	m.send(over, b, f, true)
}
