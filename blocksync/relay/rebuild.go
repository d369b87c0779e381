// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/weft-p2p/weft/internal/leaves"
	"github.com/weft-p2p/weft/internal/parity"
)

// Rebuild is a body to be computed. It takes milliseconds for each megabyte: no lock need be held meanwhile.
type Rebuild struct {
	of, by       Ref
	root         [sha256.Size]byte
	size         int
	code         parity.Code
	body, parity [][]byte // leaves
}

// Rebuilt is what came of it.
type Rebuilt struct {
	Rebuild
	whole []byte // nil: the parity is false
	tree  *leaves.Tree
}

// Run computes it.
func (r Rebuild) Run() Rebuilt {
	done := Rebuilt{Rebuild: r}
	whole, err := r.code.Rebuild(r.body, r.parity)
	if err != nil {
		return done
	}
	if tree := leaves.Build(whole); tree.Root() == r.root {
		done.whole, done.tree = whole, tree
	}
	return done
}

// reckon has a body computed, if there is memory for it.
func (m *Machine) reckon(b, g *block) {
	if b.done || b.rebuild.running || m.held+b.Size > heldBytes || m.Memory != nil && !m.Memory.Take(b.Size) {
		return
	}
	m.held += b.Size
	b.rebuild.running = true
	m.effects.Rebuild = append(m.effects.Rebuild, Rebuild{
		of: b.ref, by: g.ref, root: b.Root, size: b.Size, code: g.code, body: b.parts(), parity: g.parts(),
	})
}

// Rebuilt takes a body that was computed. Whoever announced parity that leads to another one has lied; those who have relayed it
// could not know.
func (m *Machine) Rebuilt(now time.Time, r Rebuilt) {
	m.now = now
	m.held -= r.size
	if m.Memory != nil {
		m.Memory.Give(r.size)
	}
	b := m.blocks[r.of]
	if b == nil || b.done {
		return
	}
	b.rebuild.running = false
	if r.whole == nil {
		m.misled(b, m.blocks[r.by])
		m.progress(b)
		return
	}
	n := b.tree.Count()
	b.rebuild.due, b.rebuild.unseen, b.rebuild.lost = now.Add(m.rtt()/2+m.perSize(b)/4), NewBitmap(n), NewBitmap(n)
	for _, i := range b.lacking() {
		b.rebuild.unseen.Set(i)
		b.have.Set(i)
	}
	b.tree, b.missing = r.tree, 0
	m.stats.Rebuilt++
	m.finish(b, r.whole)
}

// misled drops parity that is false, and takes no more of those who announced it.
func (m *Machine) misled(b, g *block) {
	if g == nil || g.lie {
		return
	}
	m.stats.Misled++
	m.release(g)
	g.lie, g.refuted, g.done, g.doneAt = true, true, true, m.now
	for _, a := range g.announcers {
		if s := m.members[a.id]; s != nil {
			s.misled = true
			s.fault += refuteFault
		}
	}
	for _, s := range m.order {
		s.drop(g)
	}
}

// notice takes a piece of a body that was computed without it.
func (b *block) notice(now time.Time, f *Frame) {
	r := &b.rebuild
	size := leaves.Size(b.Size)
	if r.unseen == nil || f.First < 0 || f.Count < 1 || f.Count > b.tree.Count() || b.tree.Leaf(f.First, f.Count) != len(f.Data) || b.body == nil ||
		!bytes.Equal(f.Data, b.body[f.First*size:f.First*size+len(f.Data)]) {
		return
	}
	for i := f.First; i < f.First+f.Count; i++ {
		if !r.unseen.Has(i) {
			continue
		}
		r.unseen.Clear(i)
		b.arrived[i] = now.Sub(b.began)
		if now.After(r.due) {
			r.lost.Set(i)
		}
	}
}

// tellDone reports a finished block: one that was computed when what had not come has, or is overdue. Its relays are judged by that.
func (m *Machine) tellDone(b *block) {
	if r := &b.rebuild; r.unseen != nil && r.tellAt.IsZero() {
		r.tellAt = m.now.Add(m.quiet + m.perSize(b))
		return
	}
	m.report(b)
}

// tellLate reports a block that was computed.
func (m *Machine) tellLate(b *block) {
	r := &b.rebuild
	if r.tellAt.IsZero() || r.unseen.Count() > 0 && m.now.Before(r.tellAt) {
		return
	}
	m.report(b)
	r.tellAt, r.unseen, r.lost = time.Time{}, nil, nil
}

// lost are the leaves that were asked for when little was missing, or would have been without parity; nil if there are none.
func (b *block) lost() Bitmap {
	r := &b.rebuild
	if r.unseen == nil {
		return b.rest.lost
	}
	all := slices.Clone(r.lost)
	for i := range all {
		all[i] |= r.unseen[i]
		if b.rest.lost != nil {
			all[i] |= b.rest.lost[i]
		}
	}
	if all.Count() == 0 {
		return nil
	}
	return all
}
