// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// wanting is a receiver's side of repair.
type wanting struct {
	asked   []asked
	source  peer.ID   // whom we ask at the moment
	turned  time.Time // when we began to ask it
	round   int       // how many we have asked
	reasked time.Time // when anything was last asked for again
	alarmed bool      // something was asked for that was on its way
	stopped bool      // GiveUp was said
	lending
}

// asked is when and how often a leaf was asked for.
type asked struct {
	at    time.Time
	tries int
}

func (w *wanting) tries(leaf int) int {
	if leaf < 0 || leaf >= len(w.asked) {
		return 0
	}
	return w.asked[leaf].tries
}

// overdue asks for leaves that should have come: those sent before one that has been here for long, and everything when
// nothing comes any more.
func (m *Machine) overdue(b *block) {
	if b.done || b.missing == 0 {
		return
	}
	late := m.lateness(b)
	if again := m.now.Sub(b.reasked) >= askTogether; again {
		b.reasked = m.now
	} else {
		late.hush = true
	}
	asks := map[peer.ID]*Frame{}
	for i := range b.tree.Count() {
		if b.have.Has(i) || !late.leaf(i) || b.tries(i) > 0 && !late.again(m.now, b.asked[i]) {
			continue
		}
		if b.asked == nil {
			b.asked = make([]asked, b.tree.Count())
		}
		b.asked[i].tries++
		b.asked[i].at = m.now
		if b.asked[i].tries == 1 {
			b.repaired++
			m.wants(late.why(i))
		}
		m.ask(b, asks, i)
	}
	for s := range m.around {
		if f := asks[s.ID]; f != nil {
			m.stats.Wants++
			m.tell(s, f)
		}
	}
	alone := len(asks) == 0 && late.all && m.server(b) == nil // there is nobody to ask
	if idle := b.idle(m.now); !b.stopped && (alone || idle > max(giveUp, 4*(m.quiet+m.perSize(b)))) {
		b.stopped = true
		m.effects.GiveUp = append(m.effects.GiveUp, Lost{b.Number, b.from(), b.crowded})
	}
}

// wants notes that a leaf is asked for.
func (m *Machine) wants(why Late) {
	if m.effects.Wanted == nil {
		m.effects.Wanted = map[Late]int{}
	}
	m.effects.Wanted[why]++
}

// lateness is which leaves are late at one moment.
type lateness struct {
	quiet   time.Duration
	all     bool          // nothing has come for long
	stalled int           // leaves below are late, because nothing comes at the moment; -1 if something does
	hush    bool          // nothing is asked for again at the moment
	over    int           // leaves below are late, because one sent after them has been here for long
	around  time.Duration // in rows: whoever does not answer in so long is not waited for, since many can be asked
}

func (l lateness) leaf(i int) bool { return l.all || i < l.over || i < l.stalled }

// Late is why a leaf counts as late.
type Late string

// The reasons.
const (
	Overtaken Late = "overtaken" // one that was sent after it has been here for long
	Paused    Late = "paused"    // nothing comes at the moment, and later ones are here
	Silent    Late = "silent"    // nothing has come for long
)

func (l lateness) why(leaf int) Late {
	switch {
	case l.all:
		return Silent
	case leaf < l.over:
		return Overtaken
	default:
		return Paused
	}
}

func (l lateness) again(now time.Time, a asked) bool {
	switch {
	case l.hush || a.tries >= askMost:
		return false
	case l.around > 0:
		return now.Sub(a.at) >= l.around
	case l.all || l.stalled >= 0:
		return now.Sub(a.at) >= min(askAgainBusy, askAgain<<max(0, a.tries-2))
	default:
		return now.Sub(a.at) >= askAgainBusy
	}
}

func (m *Machine) lateness(b *block) lateness {
	elapsed, idle := m.now.Sub(b.began), b.idle(m.now)
	l := lateness{quiet: max(m.quiet+m.perSize(b), elapsed/3), stalled: -1, over: -1}
	if m.inRows {
		l.around = m.answerTime(b)
	}
	l.all = idle > l.quiet
	stalled := !l.all && idle > max(m.quiet, elapsed/4)
	n := b.tree.Count()
	for i := n - 1; i >= 0; i-- {
		if !b.have.Has(i) {
			continue
		}
		if stalled && l.stalled < 0 {
			if l.stalled = i; i > n-n/(2*piecesPerRelay)-1 { // what follows was sent at the same time
				l.stalled = n
			}
		}
		if elapsed-b.arrived[i] > l.quiet {
			l.over = i
			break
		}
	}
	return l
}

// perSize is how much later a piece of a big block may be: a slow start and the other pieces of the block.
func (m *Machine) perSize(b *block) time.Duration {
	return time.Duration(float64(quietPerMB) * float64(b.Size) / 1e6)
}

// ask adds a leaf to what is asked of whom.
func (m *Machine) ask(b *block, asks map[peer.ID]*Frame, leaf int) {
	to := m.server(b)
	if to == nil {
		return
	}
	whom := []*member{to}
	if m.inRows && !b.announcedBy(to.ID) {
		whom = m.askAround(b, len(asks) == 0, leaf)
	} else if b.asked[leaf].tries >= 3 {
		if other := m.other(b, asks); other != nil {
			whom = append(whom, other)
		}
	}
	for _, s := range whom {
		f := asks[s.ID]
		if f == nil {
			f = &Frame{Kind: Want, Ref: b.ref, Missing: NewBitmap(b.tree.Count()), Have: append(Bitmap(nil), b.have...)}
			asks[s.ID] = f
		}
		f.Missing.Set(leaf)
	}
}

// other is a member to ask besides the server: any, or one of those that are asked already where no more are to be.
func (m *Machine) other(b *block, asks map[peer.ID]*Frame) *member {
	s := m.anybody(b)
	if s == nil || m.FanOut == 0 || asks[s.ID] != nil || len(asks) < max(2, m.FanOut) {
		return s
	}
	for s := range m.around {
		if asks[s.ID] != nil && s.ID != b.wanting.source {
			return s
		}
	}
	return nil
}

// server is whom to ask: the best announcer that we can reach, another after two round trips without progress. Without one
// it is a visible member of our organization, or anybody.
func (m *Machine) server(b *block) *member {
	if s := m.members[b.wanting.source]; s != nil && s.Connected {
		idle := m.now.Sub(b.turned)
		if since := m.now.Sub(b.lastNew); since < idle {
			idle = since
		}
		if idle < 2*m.rtt()+4*tick {
			return s
		}
		s.fault++
	}
	list := m.servers(b)
	if len(list) == 0 {
		return nil
	}
	s := list[b.round%len(list)]
	b.round++
	b.wanting.source, b.turned = s.ID, m.now
	return s
}

// servers are those to ask, the best first.
func (m *Machine) servers(b *block) (list []*member) {
	insert := func(s *member) {
		i := 0
		for i < len(list) && list[i].fault <= s.fault {
			i++
		}
		list = append(list[:i], append([]*member{s}, list[i:]...)...)
	}
	for _, a := range b.announcers {
		if s := m.members[a.id]; s != nil && s.Connected {
			insert(s)
		}
	}
	if len(list) > 0 {
		return list
	}
	for _, s := range m.order {
		if s.Connected && !s.Hidden && s.Org == m.Org {
			insert(s)
		}
	}
	if s := m.anybody(b); len(list) == 0 && s != nil {
		list = append(list, s)
	}
	return list
}

// anybody is a random member.
func (m *Machine) anybody(b *block) *member {
	var all []*member
	for _, s := range m.order {
		if m.reached(s) && s.ID != b.wanting.source {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[m.Rand.IntN(len(all))]
}

// report tells the announcers which leaves came late: how their relays did.
func (m *Machine) report(b *block) {
	f := &Frame{Kind: Done, Ref: b.ref, Missing: NewBitmap(b.tree.Count()), Probed: b.probed}
	limit := max(m.quiet+m.perSize(b), m.now.Sub(b.began)/3)
	next := m.now.Sub(b.began)
	f.Have = b.lost()
	for i := b.tree.Count() - 1; i >= 0; i-- {
		if b.tries(i) > 0 || b.rebuild.unseen.Has(i) {
			f.Missing.Set(i)
			continue
		}
		if next = min(next, b.arrived[i]); b.arrived[i]-next > limit {
			f.Missing.Set(i)
		}
	}
	for _, s := range m.order {
		if s.Connected && (b.announcedBy(s.ID) || m.Hidden && !s.Hidden && s.Org == m.Org) {
			m.tell(s, f)
		}
	}
	if b.repaired == 0 {
		m.quiet -= (m.quiet - m.leastQuiet()) / 10
	}
}
