// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// queue is what waits for one peer. Control comes first, then new pieces, then repairs, which get a share all the same.
type queue struct {
	control []*Frame
	fresh   []item
	repairs []item
	held    []item // of blocks of which it is to be served last
	bytes   int    // of fresh and repairs
	passed  int    // new pieces since the last repair
	hand    item   // what Next gave last: it is written when Next is called again
}

// item is a piece that waits.
type item struct {
	*Frame
	block *block
}

// Next is the next frame for a peer: a control frame, or else, if data is set, a piece. It reports false if there is none.
func (m *Machine) Next(now time.Time, to peer.ID, data bool) (*Frame, bool) {
	m.now = now
	s := m.members[to]
	switch {
	case s == nil || !s.Connected:
		return nil, false
	case !data:
		if len(s.control) == 0 {
			return nil, false
		}
		f := s.control[0]
		s.control = s.control[1:]
		return f, true
	}
	m.left(s)
	from := &s.fresh
	if len(s.repairs) > 0 && (len(s.fresh) == 0 || s.passed >= repairShare) {
		from, s.passed = &s.repairs, -1
	}
	if len(*from) == 0 {
		return nil, false
	}
	i := (*from)[0]
	(*from)[0] = item{}
	*from = (*from)[1:]
	s.passed++
	s.bytes -= i.Size()
	s.hand = i
	return i.Frame, true
}

// busy says whether so much waits for the members that we repair nothing more at the moment. Each counts up to twice its
// part, so that a few who take nothing keep nobody else from being repaired.
func (m *Machine) busy() bool {
	sum, most := 0, 2*backlogMax/max(1, len(m.order))
	for _, s := range m.order {
		sum += min(s.bytes, most)
	}
	return sum > backlogMax
}

// tell queues a control frame.
func (m *Machine) tell(s *member, f *Frame) {
	switch {
	case !s.Connected:
		m.dropped(DropGone, 1)
		return
	case len(s.control) >= maxControl:
		m.dropped(DropSlow, 1)
		return
	}
	s.control = append(s.control, f)
	m.effects.Control = true
	m.wake(s)
}

// send queues a piece of a block.
func (m *Machine) send(s *member, b *block, f *Frame, repair bool) {
	if !s.Connected || !repair && b.unwanted(s, f) {
		return
	}
	if s.bytes > queueBytes {
		s.dropOlder(m, b)
	}
	if repair {
		s.repairs = append(s.repairs, item{f, b})
	} else {
		s.fresh = append(s.fresh, item{f, b})
	}
	s.bytes += f.Size()
	if b.source != nil {
		b.queued += f.Size()
	}
	m.queued, m.effects.Pieces = m.now, true
	m.wake(s)
}

func (m *Machine) wake(s *member) {
	if n := len(m.effects.Wake); n == 0 || m.effects.Wake[n-1] != s.ID {
		m.effects.Wake = append(m.effects.Wake, s.ID)
	}
}

// dropOlder drops what waits of blocks other than b, oldest first, until the peer is within its bound.
func (s *member) dropOlder(m *Machine, b *block) {
	for s.bytes > queueBytes {
		var oldest *block
		for _, i := range slices.Concat(s.fresh, s.repairs) {
			if i.block != b && (oldest == nil || i.block.Number < oldest.Number) {
				oldest = i.block
			}
		}
		if oldest == nil {
			return
		}
		m.dropped(DropSlow, s.drop(oldest))
	}
}

// drop takes out all that waits of a block.
func (s *member) drop(b *block) int {
	return s.remove(func(i item) bool { return i.block == b })
}

// waits says whether a piece of b that s is to relay has not left yet.
func (s *member) waits(b *block, first int) bool {
	is := func(i item) bool { return i.block == b && i.First == first && i.Mode == Relay }
	return s.hand.Frame != nil && is(s.hand) || slices.ContainsFunc(s.fresh, is)
}

// unqueue takes out the pieces of b that begin at a leaf; it reports whether any was there.
func (s *member) unqueue(b *block, first int) bool {
	return s.remove(func(i item) bool { return i.block == b && i.First == first }) > 0
}

func (s *member) remove(which func(item) bool) (n int) {
	out := func(i item) bool {
		if !which(i) {
			return false
		}
		s.bytes -= i.Size()
		n++
		return true
	}
	s.fresh = slices.DeleteFunc(s.fresh, out)
	s.repairs = slices.DeleteFunc(s.repairs, out)
	held := len(s.held)
	s.held = slices.DeleteFunc(s.held, which)
	return n + held - len(s.held)
}

// reset forgets what waits: the connection is gone.
func (s *member) reset(m *Machine) {
	m.dropped(DropGone, len(s.control)+len(s.fresh)+len(s.repairs)+len(s.held))
	s.queue = queue{}
}
