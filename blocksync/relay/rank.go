// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/leaves"
)

// pending is a block that we have from the ordering service while another leader may be spreading it.
type pending struct {
	wait time.Duration
	due  time.Time
	seen Bitmap // leaves that came from others

	declined Bitmap // leaves that others were asked not to send; nil: they were not
}

// spread says whether all came that was to.
func (p *pending) spread(leaves int) bool {
	for i := range leaves {
		if !p.seen.Has(i) && !p.declined.Has(i) {
			return false
		}
	}
	return true
}

// Offer hands over a block of the ordering service: like Publish, but several leaders have it. The one that was first with
// recent blocks announces it at once, the others wait, each a step longer, and stay silent while they see it spread. A
// leader that sees it stop announces it to repair what is missing.
func (m *Machine) Offer(now time.Time, a Announcement, body []byte, tree *leaves.Tree) {
	m.now = now
	rank := m.rank(a.Root)
	if rank == 0 && m.blocks[a.Ref()] == nil {
		m.Publish(now, a, body, tree)
		return
	}
	b := m.whole(a, body, tree)
	if b == nil || b.source != nil || b.pending != nil {
		return
	}
	wait := time.Duration(max(1, rank)) * m.patience()
	b.pending = &pending{wait: wait, due: now.Add(wait), seen: NewBitmap(tree.Count())}
	m.decline(b)
}

// Announces says whether we have announced a block; until then others may.
func (m *Machine) Announces(ref Ref) bool {
	b := m.blocks[ref]
	return b != nil && b.source != nil
}

// heardFrom notes pieces of a block that wait for nothing here, but show that it spreads. It reports whether one was not seen before.
func (b *block) heardFrom(now time.Time, f *Frame) (isNew bool) {
	if b.pending == nil || f.First < 0 || f.Count < 1 || f.First+f.Count > b.tree.Count() {
		return false
	}
	if b.pending.seen.holds(f.First, f.Count) {
		return false
	}
	mark(b.pending.seen, f)
	b.pending.due = now.Add(b.pending.wait)
	return true
}

// heardOf notes that somebody has announced a block: its pieces are some time behind.
func (b *block) heardOf(now time.Time, patience time.Duration) {
	if p := b.pending; p != nil && len(b.announcers) == 0 && p.due.Before(now.Add(patience)) {
		p.due = now.Add(patience)
	}
}

// standBy announces a block that nobody spreads, or does not any more.
func (m *Machine) standBy(b *block) {
	p := b.pending
	if p == nil {
		return
	}
	switch {
	case p.spread(b.tree.Count()):
		b.pending, b.doneAt = nil, m.now
	case m.now.Before(p.due):
	default:
		b.pending, b.doneAt = nil, m.now
		if p.seen.Count() == 0 {
			m.begin(b)
			return
		}
		m.announce(b)
		b.slice(m.pieceSize(b, len(m.order)), 0)
	}
}

// first is who announced a block first.
type first struct {
	ref Ref
	id  peer.ID
	at  time.Time
}

// patience is what each rank waits: longer than an announcement takes to be seen.
func (m *Machine) patience() time.Duration {
	wait := max(stagger, m.rtt()*12/10)
	if m.inRows { // it takes another hop
		wait *= 2
	}
	return wait
}

// announcedFirst notes who announced a block first. Of those who did so at the same time, as far as they could know, it is
// the lowest, so that all see the same one; the others stop.
func (m *Machine) announcedFirst(b *block, id peer.ID) {
	i := slices.IndexFunc(m.firsts, func(f first) bool { return f.ref == b.ref })
	switch {
	case i < 0:
		m.firsts = append(m.firsts, first{b.ref, id, m.now})
		if len(m.firsts) > remembered {
			m.firsts = m.firsts[1:]
		}
	case m.now.Sub(m.firsts[i].at) < m.patience() && id < m.firsts[i].id:
		if m.firsts[i].id == m.Self {
			m.yield(b)
		}
		m.firsts[i].id = id
	}
}

// yield takes back the pieces that have not left yet: another source spreads the block. What is missing in the end is
// repaired.
func (m *Machine) yield(b *block) {
	if b.source != nil && !b.source.waits.IsZero() {
		b.source.waits = time.Time{}
		b.slice(m.pieceSize(b, len(m.order)), 0)
	}
	for _, s := range m.order {
		s.remove(func(i item) bool { return i.block.base() == b && i.Mode == Relay })
	}
}

// rank is our place among the leaders: by how often each was first lately, ties by a hash over the block and the leader.
func (m *Machine) rank(root [sha256.Size]byte) (rank int) {
	leaders := []peer.ID{}
	for _, s := range m.order {
		if s.Leader && (s.Connected || s.Far) {
			leaders = append(leaders, s.ID)
		}
	}
	mine, tie := m.wins(m.Self), tieHash(root, m.Self)
	for _, id := range leaders {
		if wins := m.wins(id); wins > mine || wins == mine && bytes.Compare(tieHash(root, id), tie) < 0 {
			rank++
		}
	}
	return rank
}

func (m *Machine) wins(id peer.ID) (n int) {
	for _, f := range m.firsts {
		if f.id == id {
			n++
		}
	}
	return n
}

func tieHash(root [sha256.Size]byte, id peer.ID) []byte {
	sum := sha256.Sum256(slices.Concat(root[:], []byte(id)))
	return sum[:]
}
