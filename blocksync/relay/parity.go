// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/weft-p2p/weft/internal/parity"
)

// Where packets are lost, a source adds parity to its bodies (package parity): whoever has as many leaves and parity together as a
// body has leaves computes it, and waits for nothing that was lost. Parity is a block of its own as far as relays forward it
// and members judge its pieces, a guard: it is not asked for, is whole for nobody, and goes with the body that it guards.

// guarding is what links a body and its parity.
type guarding struct {
	body0   *block        // of a guard: the body that it guards
	code    parity.Code   // of a guard
	tally   *parity.Tally // of a guard: what is here of it and of its body
	lie     bool          // of a guard: it is not the parity of its body
	guards  []*block      // of a body
	rebuild rebuilding    // of a body
}

// isGuard says whether this is parity.
func (b *block) isGuard() bool { return b.body0 != nil }

// base is the body that a guard guards, or that b itself is.
func (b *block) base() *block {
	if b.isGuard() {
		return b.body0
	}
	return b
}

// guardRef names the parity of a body on the wire: the first bytes of SHA-256 over the name of the body, the number of shards
// (8 bytes, big-endian) and the root.
func guardRef(of Ref, p parity.Sum) Ref {
	named := binary.BigEndian.AppendUint64(slices.Clone(of[:]), uint64(p.Shards))
	sum := sha256.Sum256(append(named, p.Root[:]...))
	return Ref(sum[:16])
}

// guard takes the parity that an announcement of b tells of. Each organization may announce one, and maxGuards is how many there
// are: sources that add any at the same time add the same.
func (m *Machine) guard(b *block, a Announcement) {
	if s := m.members[a.From]; a.Parity.None() || b.refuted || s != nil && s.misled {
		return
	}
	g := m.blocks[guardRef(b.ref, a.Parity)]
	if g == nil {
		taken := func(g *block) bool {
			return slices.ContainsFunc(g.announcers, func(x announcer) bool { return x.org == a.Org })
		}
		if len(b.guards) == maxGuards || slices.ContainsFunc(b.guards, taken) {
			return
		}
		if g = m.openGuard(b, a); g == nil {
			return
		}
	}
	if !g.announcedBy(a.From) {
		g.announcers = append(g.announcers, announcer{a.From, a.Org})
	}
	m.replay(g)
}

// openGuard makes the state of the parity of b; nil if there is no such code.
func (m *Machine) openGuard(b *block, a Announcement) *block {
	code, err := parity.New(b.Size, a.Parity.Shards)
	if err != nil {
		return nil
	}
	g := m.open(Announcement{Number: a.Number, Root: a.Parity.Root, Size: a.Parity.Size(), From: a.From, Org: a.Org}, guardRef(b.ref, a.Parity))
	g.body0, g.code, g.tally = b, code, code.Tally()
	b.guards = append(b.guards, g)
	m.effects.Lossy = true
	if b.done {
		g.done, g.doneAt = true, m.now
		return g
	}
	for i := range b.tree.Count() {
		if b.have.Has(i) {
			g.tally.Add(i)
		}
	}
	return g
}

// counted notes a leaf that is new: a shard, of a body or of its parity.
func (b *block) counted(leaf int) {
	if b.isGuard() {
		b.tally.Add(leaf)
	}
	for _, g := range b.guards {
		if g.tally != nil {
			g.tally.Add(leaf)
		}
	}
}

// disband releases the guards of a body that needs them no more. What comes of them later is forwarded all the same.
func (m *Machine) disband(b *block) {
	for _, g := range b.guards {
		m.release(g)
		g.tally = nil
		if !g.done {
			g.done, g.doneAt = true, m.now
		}
		g.refuted = g.refuted || b.refuted
	}
}

// forgetGuards forgets them with their body.
func (m *Machine) forgetGuards(b *block) {
	for _, g := range b.guards {
		for _, s := range m.order {
			s.drop(g)
		}
		delete(m.blocks, g.ref)
	}
}

// protect shares the parity of our own block out over the relays, after its pieces.
func (m *Machine) protect(b *block, relays []*member) {
	if b.Parity.Tree == nil {
		return
	}
	g := m.blocks[guardRef(b.ref, b.Parity)]
	if g == nil {
		if g = m.openGuard(b, b.Announcement); g == nil {
			return
		}
	}
	g.announcers = append(g.announcers, announcer{m.Self, m.Org})
	g.tree, g.body, g.missing = b.Parity.Tree, b.Parity.Body, 0
	for i := range g.tree.Count() {
		g.have.Set(i)
	}
	g.source = newSource(m.now, g.tree.Count())
	g.slice(parityPiece, 0)
	m.assign(g, relays)
	alone := m.alone(b)
	for _, p := range g.pieces {
		f, ok := g.cut(Relay, p.first, p.count)
		if !ok {
			break
		}
		m.send(p.relay, g, f, false)
		if alone {
			m.house(g, f, nil)
		}
	}
	// Nobody asks for it.
	g.source, g.body, b.Parity.Body, b.Parity.Tree = nil, nil, nil, nil
}

// guardFrame takes a frame about parity, of which only pieces are.
func (m *Machine) guardFrame(s *member, g *block, f *Frame) {
	switch {
	case f.Kind == Piece:
		m.piece(s, g, f)
	case f.Kind == Want && f.Missing == nil:
		m.wanted(s, g.body0, f)
	}
}

// progress is what a new piece of a body or its parity changes.
func (m *Machine) progress(b *block) {
	switch {
	case b.isGuard():
		b = b.base()
		b.lastNew = m.now
	case b.missing == 0:
		m.finish(b, b.body)
		return
	}
	if i := slices.IndexFunc(b.guards, func(g *block) bool { return !g.lie && g.tally != nil && g.tally.Enough() }); i >= 0 {
		m.reckon(b, b.guards[i])
	}
}

// rebuilding is what is known of a body that is computed, or was.
type rebuilding struct {
	running bool
	due     time.Time // until when leaves that had not come may have been on their way
	unseen  Bitmap    // leaves that had not come, and have not since
	lost    Bitmap    // those that came after due
	tellAt  time.Time // when it is reported
}
