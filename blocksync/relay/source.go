// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"math/bits"
	"slices"
	"time"

	"github.com/weft-p2p/weft/internal/leaves"
)

// source is what an announcer of a block keeps.
type source struct {
	pieces    []piece
	of        []int32 // piece of each leaf
	assigned  map[*member]int
	sent      map[*member]int          // of those
	queued    int                      // bytes
	supplied  int                      // relays that were sent all of theirs
	most      time.Time                // since when most are
	complain  map[*member]map[int]bool // pieces that more than a third complained about in time, by their first relay
	lacked    map[*member]bool         // first relays of pieces that more than a third complained about
	excused   map[*member]bool         // said that they cannot judge
	blameless bool                     // most relays were complained about: it is congestion
	collectAt time.Time
	reports   map[*member]Bitmap
	fed       int                // of those that relays send to
	lacks     map[*member]Bitmap // leaves that they had to ask for as the last
	probe     *member
	probeOK   int
	judged    bool
	observed  bool // parity was decided about
	since     time.Time
	untold    bool      // it is not on the topic
	alone     bool      // our hidden members get it from us
	waits     time.Time // when the pieces are shared out; zero if they are
}

// piece is a run of leaves that travels together.
type piece struct {
	first, count  int
	relay0, relay *member // first, and at the moment; nil if it went to nobody or to everybody
	wanted        map[*member]bool
	complained    map[*member]time.Time // when last
	spreading     bool
	left          time.Time // to relay0; zero if it has not
}

func newSource(since time.Time, leaves int) *source {
	return &source{
		since: since, of: make([]int32, leaves),
		assigned: map[*member]int{}, sent: map[*member]int{}, complain: map[*member]map[int]bool{},
		lacked: map[*member]bool{}, excused: map[*member]bool{}, reports: map[*member]Bitmap{}, lacks: map[*member]Bitmap{},
	}
}

// Publish announces a block that we have whole: a is the announcement, sealed is what says so to others, tree the tree of
// body. Every member that we reach gets the announcement; the body goes over relays.
func (m *Machine) Publish(now time.Time, a Announcement, body []byte, tree *leaves.Tree) {
	m.now = now
	b := m.whole(a, body, tree)
	if b == nil || b.source != nil {
		return
	}
	m.begin(b)
}

// whole makes or completes the state of a block that we have.
func (m *Machine) whole(a Announcement, body []byte, tree *leaves.Tree) *block {
	a.From, a.Org = m.Self, m.Org
	b := m.blocks[a.Ref()]
	if b == nil {
		b = m.open(a, a.Ref())
	}
	if b.refuted {
		return nil
	}
	if !b.done {
		m.release(b)
		b.done, b.doneAt = true, m.now
	}
	b.tree, b.body, b.missing, b.Sealed, b.Parity, b.without = tree, body, 0, a.Sealed, a.Parity, false
	for i := range tree.Count() {
		b.have.Set(i)
	}
	return b
}

// distribute shares the pieces out over relays, or sends them to everybody if that is quicker.
func (m *Machine) distribute(b *block) {
	var all []*member
	for s := range m.around {
		if m.reached(s) && !s.Hidden {
			all = append(all, s)
		}
	}
	m.Rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	fed := slices.DeleteFunc(slices.Clone(all), func(s *member) bool { return m.housed(b, s) })
	relays := m.relays(m.mates(m.able(all)))
	direct := len(fed) < 2 || len(fed)*b.Size <= m.direct()
	b.alone = m.alone(b)
	switch {
	case m.near:
		b.slice(m.pieceSize(b, len(relays)), 0)
	case direct:
		b.slice(leavesIn(pieceMax, b.Size), 0)
	case b.Parity.Tree != nil: // packets are lost, and each takes its piece with it
		b.slice(min(parityPiece, m.pieceSize(b, m.grain(len(relays)))), len(relays))
	default:
		b.slice(m.pieceSize(b, m.grain(len(relays))), len(relays))
	}
	mode := Final
	if !direct {
		mode = Relay
		m.assign(b, relays)
		m.probe(b, all)
	}
	for i := range b.pieces {
		p := &b.pieces[i]
		f, ok := b.cut(mode, p.first, p.count)
		if !ok {
			return
		}
		switch {
		case !direct:
			m.send(p.relay, b, f, false)
		case m.inRows:
			m.spreadOverRows(nil, b, f)
		default:
			for _, s := range fed {
				m.send(s, b, f, false)
			}
		}
		if b.alone || direct && !m.Hidden {
			m.house(b, f, nil)
		}
	}
	if !direct {
		m.protect(b, relays)
	}
}

// able are the members that can judge our announcements, as far as we know; all if there is none.
func (m *Machine) able(all []*member) (some []*member) {
	for _, s := range all {
		if !m.now.Before(s.behind) {
			some = append(some, s)
		}
	}
	if len(some) == 0 {
		return all
	}
	return some
}

// relays are the members to share pieces among. If too few are left, the judgements were wrong: all begin again.
func (m *Machine) relays(all []*member) (some []*member) {
	for _, s := range all {
		if s.weight > 0 {
			some = append(some, s)
		}
	}
	if len(some) >= len(all)/8+1 || len(all) == 0 {
		return some
	}
	for _, s := range all {
		s.weight, s.need = 1, 0
	}
	return all
}

// direct is how much we send to everybody ourselves: peers times size.
func (m *Machine) direct() int {
	if m.near {
		return directBytesNear
	}
	return directBytes
}

// pieceSize is how many leaves a piece has.
func (m *Machine) pieceSize(b *block, relays int) int {
	if m.near {
		return leavesIn(pieceNear, b.Size)
	}
	return leavesIn(min(max(b.Size/max(1, piecesPerRelay*relays), pieceMin), pieceMax), b.Size)
}

// leavesIn is how many leaves of a body of some size make up so many bytes: a power of two, so that their proof is short.
func leavesIn(bytes, size int) int {
	return 1 << (bits.Len(uint(max(1, bytes/leaves.Size(size)))) - 1)
}

// slice cuts the body into pieces of n leaves, and its end, what each relay gets last, into single ones: the last piece is
// late by the time it takes to send it to everybody.
func (b *block) slice(n, relays int) {
	count := b.tree.Count()
	for first := 0; first < count; {
		size := n
		if left := count - first; left <= relays {
			size = 1
		}
		size = min(size, count-first)
		for i := range size {
			b.of[first+i] = int32(len(b.pieces))
		}
		b.pieces = append(b.pieces, piece{first: first, count: size})
		first += size
	}
}

// assign gives each piece to one relay, in turns weighted by score.
func (m *Machine) assign(b *block, relays []*member) {
	credit, part := make([]float64, len(relays)), make([]float64, len(relays))
	for i, s := range relays {
		if part[i] = s.weight; m.housed(b, s) {
			part[i] *= guestShare
		}
		credit[i] = m.Rand.Float64() * part[i]
	}
	at := 0
	for i := range b.pieces {
		for {
			k := at % len(relays)
			at++
			if credit[k] += part[k]; credit[k] >= 1-1e-9 {
				credit[k]--
				p := &b.pieces[i]
				p.relay0, p.relay, p.spreading = relays[k], relays[k], true
				b.assigned[relays[k]]++
				break
			}
		}
	}
}

// probe sends one piece once more over a relay that is not used any more, to see whether it is well again.
func (m *Machine) probe(b *block, all []*member) {
	var out []*member
	for _, s := range all {
		if s.weight == 0 {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return
	}
	b.source.probe = out[m.Rand.IntN(len(out))]
	p := b.pieces[m.Rand.IntN(len(b.pieces))]
	if f, ok := b.cut(Probe, p.first, p.count); ok {
		m.send(b.source.probe, b, f, false)
	}
}
