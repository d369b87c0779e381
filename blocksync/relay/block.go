// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/internal/leaves"
)

// block is what we know of one root.
type block struct {
	Announcement
	ref        Ref
	tree       *leaves.Tree
	announcers []announcer
	began      time.Time // verified, or published

	body     []byte          // each leaf that is here in its place; nil before the first, and if the body came another way
	held     int             // bytes of an unfinished body, those that are missing as well
	have     Bitmap          // leaves that are here
	missing  int             // how many are not
	bytes    int             // of leaves that came
	arrived  []time.Duration // since began, of each leaf
	lastNew  time.Time
	course   course
	moving   time.Time          // when the last new piece of an older block came: this one may wait behind it
	early    []parkedPiece      // the crown is missing
	crownAt  time.Time          // when it was asked for
	passed   Bitmap             // leaves that were forwarded
	told     map[*member]bool   // that it is done
	declines map[*member]Bitmap // leaves that they do not want
	again    map[int]int        // targeted forwards, by first leaf
	probed   bool               // a probe was here
	crowded  bool               // there was no room for some of it
	givers   map[*member]bool   // who sent us some of it
	takers   map[*member]bool   // who is served last
	withheld bool               // something waits for them
	done     bool
	without  bool // it is committed, the body came another way
	refuted  bool
	doneAt   time.Time
	repaired int
	wanting
	rest rest
	serving
	*source
	pending *pending // we could announce it, too
	orgNext int      // which hidden member is next
	entry   int      // and which guest
	guarding
	trust trust
}

type announcer struct {
	id  peer.ID
	org string
}

// idle is for how long nothing has come of the block or those before it.
func (b *block) idle(now time.Time) time.Duration {
	return min(now.Sub(b.lastNew), now.Sub(b.moving))
}

// announcedBy says whether a peer has announced this root.
func (b *block) announcedBy(id peer.ID) bool {
	return slices.ContainsFunc(b.announcers, func(a announcer) bool { return a.id == id })
}

// from are those who have announced this root.
func (b *block) from() (ids []peer.ID) {
	for _, a := range b.announcers {
		ids = append(ids, a.id)
	}
	return ids
}

// Announced says that a verified announcement came. It reports false if there is no place for its root: its announcer or
// organization has announced others for this number, or it is outside the window.
func (m *Machine) Announced(now time.Time, a Announcement) bool {
	m.now = now
	if a.Number+behind < m.height || a.Number >= m.height+Window {
		return false
	}
	b := m.blocks[a.Ref()]
	if b != nil && b.announcedBy(a.From) {
		m.crown(b, a)
		return true
	}
	if !m.place(a) {
		return false
	}
	if b == nil {
		b = m.open(a, a.Ref())
		if a.Number < m.height { // committed: others count on us as a relay all the same
			b.done, b.without, b.doneAt = true, true, now
		}
		m.crown(b, a)
		m.findTakers(b)
		m.introduce(b, a)
	}
	m.announcedFirst(b, a.From)
	b.heardOf(now, m.patience())
	b.announcers = append(b.announcers, announcer{a.From, a.Org})
	m.decline(b)
	if b.refuted {
		return false
	}
	m.crown(b, a)
	m.guard(b, a)
	m.replay(b)
	return true
}

// crown takes a crown that came with an announcement.
func (m *Machine) crown(b *block, a Announcement) {
	switch {
	case a.Crown == nil || b.tree.HasCrown():
	case b.tree.AddCrown(a.Crown) != nil:
		m.stats.Forged++
	default:
		b.Crown = a.Crown
		m.retry(b)
	}
}

// place says whether an announcer may have another root for a number.
func (m *Machine) place(a Announcement) bool {
	roots := 0
	for _, b := range m.blocks {
		if b.Number != a.Number || b.ref == a.Ref() || b.isGuard() {
			continue
		}
		if b.announcedBy(a.From) {
			return false
		}
		if !b.refuted && slices.ContainsFunc(b.announcers, func(x announcer) bool { return x.org == a.Org }) {
			roots++
		}
	}
	return roots < rootsPerOrg
}

// open makes the state of a root.
func (m *Machine) open(a Announcement, ref Ref) *block {
	b := &block{Announcement: a, ref: ref, tree: leaves.NewTree(a.Size, a.Root), began: m.now, lastNew: m.now}
	n := b.tree.Count()
	b.have, b.passed, b.missing = NewBitmap(n), NewBitmap(n), n
	b.arrived = make([]time.Duration, n)
	b.course.heard = m.now
	if !a.Heard.IsZero() {
		b.course.heard = a.Heard
	}
	m.blocks[b.ref] = b
	return b
}

// introduce passes an announcement on to whom its sender names, to our row if it says so, and to the hidden members of our
// organization.
func (m *Machine) introduce(b *block, a Announcement) {
	if b.Sealed == nil {
		return
	}
	f := &Frame{Kind: Announce, Ref: b.ref, Data: b.Sealed}
	if crown, ok := b.tree.Crown(nil); ok && b.tree.Count() > 1 {
		f.Proof = crown
	}
	for _, t := range a.Targets[:min(len(a.Targets), maxIntroduced)] {
		if s := m.shorts[t]; s != nil && m.reached(s) && s.ID != b.From {
			m.tell(s, f)
		}
	}
	for _, s := range m.order {
		if a.Mode.alongRow() && m.goesTo(b, s, a.Mode.bits()) && s.ID != b.From {
			m.tell(s, f)
		}
	}
	for _, s := range m.order {
		if s.Connected && s.Hidden && !m.Hidden && s.Org == m.Org && s.ID != b.From {
			m.tell(s, f)
		}
	}
}

// keep copies leaves that were verified to their place; it reports whether any is new.
func (m *Machine) keep(b *block, f *Frame) bool {
	if b.body == nil {
		b.body, b.held = make([]byte, b.Size), b.Size
		m.held += b.held
	}
	fresh, size := false, leaves.Size(b.Size)
	for i := range f.Count {
		if b.have.Has(f.First + i) {
			continue
		}
		fresh = true
		b.have.Set(f.First + i)
		b.missing--
		part := f.Data[min(i*size, len(f.Data)):min((i+1)*size, len(f.Data))]
		b.bytes += copy(b.body[(f.First+i)*size:], part)
		b.arrived[f.First+i] = m.now.Sub(b.began)
		b.counted(f.First + i)
	}
	if fresh {
		b.lastNew = m.now
		if b.rest.since.IsZero() && b.few(restPart/2) {
			b.rest.since = m.now
		}
	}
	return fresh
}

// full says whether the body, of which nothing is here, goes beyond what the channel or the announcer may hold.
func (m *Machine) full(b *block) bool {
	if b.body != nil {
		return false
	}
	if m.held+b.Size > heldBytes {
		return true
	}
	sum, owner := b.Size, m.owner(b)
	for _, other := range m.blocks {
		if other.held > 0 && m.owner(other) == owner {
			sum += other.held
		}
	}
	return sum > announcerBytes
}

// owner is whom a body counts against: who announced it first.
func (m *Machine) owner(b *block) fair.Owner {
	if s := m.members[b.From]; s != nil {
		return s.owner()
	}
	return fair.Owner{Org: b.Org, Identity: string(b.From)}
}

// finish hands over a complete body.
func (m *Machine) finish(b *block, body []byte) {
	m.release(b)
	b.body, b.done, b.doneAt = body, true, m.now
	m.tellDone(b)
	m.noteGivers(b)
	m.serveTakers(b)
	c := Complete{Announcement: b.Announcement, Body: body, Repaired: b.repaired, Announcers: b.from(), Rebuilt: b.rebuild.unseen != nil}
	m.distance(b, &c)
	m.effects.Complete = append(m.effects.Complete, c)
}

// release gives back what an unfinished body holds.
func (m *Machine) release(b *block) {
	if b.held > 0 {
		m.held -= b.held
		if m.Memory != nil {
			m.Memory.Give(b.held)
		}
		b.held, b.body = 0, nil
	}
	b.early = nil
	m.disband(b)
}

// expired says whether nobody will ask for the block any more.
func (b *block) expired(now time.Time, height uint64) bool {
	return b.done && b.pending == nil && now.Sub(b.doneAt) > linger && (b.Number < height || now.Sub(b.doneAt) > 10*linger)
}

func (m *Machine) forget(b *block) {
	m.judge(b, true)
	m.release(b)
	m.forgetGuards(b)
	for _, s := range m.order {
		s.drop(b)
	}
	delete(m.blocks, b.ref)
}

// shed forgets finished bodies, oldest first, until they are within their bound.
func (m *Machine) shed() {
	total := 0
	all := m.sorted()
	for _, b := range slices.Backward(all) {
		if !b.done || b.isGuard() || b.Number >= m.height && b.source == nil {
			continue
		}
		if total += len(b.body) + len(b.Parity.Body); total > lingerBytes && b.pending == nil && m.now.Sub(b.doneAt) > linger/3 {
			m.forget(b)
		}
	}
}

// cut is a part of the body, as one frame.
func (b *block) cut(mode Mode, first, count int) (*Frame, bool) {
	prove := b.tree.Prove
	if b.isGuard() { // its crown goes with nothing
		prove = b.tree.ProveToRoot
	}
	proof, ok := prove(nil, first, count)
	if !ok || !b.holds(first, count) {
		return nil, false
	}
	return &Frame{Kind: Piece, Ref: b.ref, Mode: mode, First: first, Count: count, Proof: proof, Data: b.part(first, count)}, true
}

// holds says whether some leaves are here.
func (b *block) holds(first, count int) bool {
	return b.have.holds(first, count) && (b.body != nil || b.Size == 0)
}

// part is where some leaves are, or will be.
func (b *block) part(first, count int) []byte {
	at := first * leaves.Size(b.Size)
	return b.body[at : at+b.tree.Leaf(first, count)]
}

// parts are all leaves, nil where one is not here.
func (b *block) parts() [][]byte {
	all := make([][]byte, b.tree.Count())
	for i := range all {
		if b.holds(i, 1) {
			all[i] = b.part(i, 1)
		}
	}
	return all
}

// as is a verified piece in another mode, without targets, to be queued: it has nothing of the frame that it came in.
func (b *block) as(mode Mode, f *Frame) *Frame {
	g := &Frame{Kind: Piece, Ref: f.Ref, Mode: mode, First: f.First, Count: f.Count, Proof: slices.Clone(f.Proof)}
	if b.holds(f.First, f.Count) {
		g.Data = b.part(f.First, f.Count)
	} else {
		g.Data = slices.Clone(f.Data)
	}
	return g
}
