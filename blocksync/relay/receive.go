// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/internal/leaves"
)

// parkedPiece is a piece that came before what it can be judged by.
type parkedPiece struct {
	from  peer.ID
	owner fair.Owner
	frame *Frame
	since time.Time
	asked time.Time // when its sender was asked for the announcement
}

// Receive takes a frame of a member, whose proof and data are the caller's again when it returns. Announcements are not for it:
// the caller verifies them and says Announced. What comes from who is no member is dropped.
func (m *Machine) Receive(now time.Time, from peer.ID, f *Frame) {
	m.now, m.came = now, now
	s := m.members[from]
	if s == nil {
		return
	}
	b := m.blocks[f.Ref]
	if b != nil && b.isGuard() {
		m.guardFrame(s, b, f)
		return
	}
	switch f.Kind {
	case Piece:
		m.piece(s, b, f)
	case Want:
		if b != nil {
			m.wanted(s, b, f)
		}
	case Cancel:
		if b != nil {
			m.cancel(s, b, f)
		}
	case Done:
		if b != nil {
			s.spare(b)
			m.reported(s, b, f)
			m.reportedWithin(s, b, f)
		}
	case Unready:
		if len(f.Targets) > 0 {
			m.disowned(s, f)
			return
		}
		if b != nil {
			m.doubt(s, b)
		}
		if b != nil && b.source != nil {
			m.excuse(s, b)
		}
	}
}

// Unjudged says that an announcement cannot be judged yet: whoever sent it must not count on us as a relay.
func (m *Machine) Unjudged(now time.Time, from peer.ID, ref Ref) {
	m.now = now
	if s := m.members[from]; s != nil {
		m.tell(s, &Frame{Kind: Unready, Ref: ref})
	}
}

func (m *Machine) piece(s *member, b *block, f *Frame) {
	m.stats.Pieces++
	m.stats.Received += int64(len(f.Data))
	switch {
	case m.now.Before(s.liar):
		return
	case b == nil:
		m.park(s, f)
		return
	case b.refuted:
		return
	}
	isNew := b.heardFrom(m.now, f)                  // our hidden members may lack it all the same
	if f.Mode.forwarded() && !b.announcedBy(s.ID) { // it may announce it in a moment
		m.park(s, f)
	}
	b.probed = b.probed || f.Mode == Probed
	b.gives(s)
	if b.done {
		m.enough(s, b, f)
	}
	if b.have.holds(f.First, f.Count) && f.Count > 0 {
		m.duplicate(b, f)
		b.notice(m.now, f)
		if !isNew && !m.forwards(s, b, f) {
			return
		}
	}
	if !b.done && m.full(b) {
		m.dropped(DropFull, 1)
		b.crowded = true
		return
	}
	switch err := b.tree.Verify(f.First, f.Count, f.Data, f.Proof); {
	case errors.Is(err, leaves.ErrEarly):
		m.wait(s, b, f)
		return
	case err != nil:
		m.forgery(s)
		return
	}
	if !b.done && !m.take(b) {
		m.dropped(DropMemory, 1)
		b.crowded = true
		return
	}
	if !b.done {
		if isNew = m.keep(b, f); isNew {
			b.course.came(m.came, b.bytes, !b.announcedBy(s.ID))
			s.gave = m.now
		}
	}
	m.forward(s, b, f, isNew)
	if isNew && !b.done {
		m.progress(b)
	}
}

// duplicate counts a piece that was here. If it was asked for, the complaint was wrong: it had been on its way. One such
// piece of a block makes us more patient with the next, not each: a relay that is slow brings all of its own too late.
func (m *Machine) duplicate(b *block, f *Frame) {
	m.stats.Duplicates++
	if f.Mode != Probed && !b.alarmed && b.tries(f.First) > 0 {
		b.alarmed, m.quiet = true, min(quietMax, m.quiet+m.quiet/4)
	}
}

// forgery holds a piece that does not fit the root against who sent it: the channel proves that it did.
func (m *Machine) forgery(s *member) {
	m.stats.Forged++
	m.effects.Forged = append(m.effects.Forged, s.ID)
	if s.forged++; s.forged >= maxForged {
		s.forged, s.liar = 0, m.now.Add(forgedTime)
	}
}

// park keeps a piece whose announcement is not here, for a moment.
func (m *Machine) park(s *member, f *Frame) {
	if !m.parking.Fits(s.owner(), parkedSize(f), parkBytes, parkBytes/4) {
		m.dropped(DropFull, 1)
		return
	}
	m.stats.Parked++
	m.parking.Add(s.owner(), parkedSize(f))
	m.parked = append(m.parked, parkedPiece{from: s.ID, frame: f.own(), since: m.now, owner: s.owner()})
}

// parkedSize is what a parked piece takes, in bytes: many small ones cost more than they weigh.
func parkedSize(f *Frame) int { return f.Size() + 256 }

// unload takes a parked piece off its owner's account.
func (m *Machine) unload(p parkedPiece) { m.parking.Add(p.owner, -parkedSize(p.frame)) }

// unpark drops what has been parked for too long.
func (m *Machine) unpark() {
	n := 0
	for n < len(m.parked) && m.now.Sub(m.parked[n].since) >= parkTime {
		m.unload(m.parked[n])
		n++
	}
	m.parked = slices.Delete(m.parked, 0, n)
	m.dropped(DropLate, n)
	asked := map[Ref]bool{}
	for i, p := range m.parked {
		if !asked[p.frame.Ref] && m.now.Sub(p.since) > unknownAfter && m.now.Sub(p.asked) > 2*m.rtt() {
			m.parked[i].asked = m.now
			if s := m.members[p.from]; s != nil {
				m.tell(s, &Frame{Kind: Want, Ref: p.frame.Ref})
			}
		}
		asked[p.frame.Ref] = true
	}
}

// replay judges what was parked for a block.
func (m *Machine) replay(b *block) {
	var mine []parkedPiece
	m.parked = slices.DeleteFunc(m.parked, func(p parkedPiece) bool {
		if p.frame.Ref != b.ref {
			return false
		}
		m.unload(p)
		mine = append(mine, p)
		return true
	})
	m.again(b, mine)
}

// wait keeps a piece that needs the crown, and asks for that.
func (m *Machine) wait(s *member, b *block, f *Frame) {
	if b.isGuard() { // its proofs go up to the root
		return
	}
	size := f.Size()
	for _, p := range b.early {
		size += p.frame.Size()
	}
	if size > parkBytes/4 {
		m.dropped(DropFull, 1)
		return
	}
	b.early = append(b.early, parkedPiece{from: s.ID, frame: f.own(), since: m.now})
	if m.now.Sub(b.crownAt) > m.rtt() {
		b.crownAt = m.now
		m.tell(s, &Frame{Kind: Want, Ref: b.ref})
	}
}

// retry judges what waited for the crown.
func (m *Machine) retry(b *block) {
	early := b.early
	b.early = nil
	m.again(b, early)
}

func (m *Machine) again(b *block, pieces []parkedPiece) {
	for _, p := range pieces {
		if s := m.members[p.from]; s != nil {
			m.stats.Pieces--
			m.stats.Received -= int64(len(p.frame.Data))
			if b.have.holds(p.frame.First, p.frame.Count) {
				m.stats.Duplicates--
			}
			m.came = p.since
			m.piece(s, b, p.frame)
		}
	}
}
