// SPDX-License-Identifier: Apache-2.0

package relay

import "time"

// tail is when a relay that was sent all its pieces of a block is told so next, and how many times more.
type tail struct {
	of    *block
	at    time.Time
	times int
}

// sentAll notes that the last piece of b that s is to relay is written. QUIC knows that a packet was lost when one that it sent
// later is acknowledged; if there is none, it waits for twice as long (RFC 9002, 6.1 and 6.2), and all members wait for that
// relay. A new block follows the old one just as well. Near members have the next block before that matters.
func (m *Machine) sentAll(b *block, s *member) {
	s.tail = tail{}
	if s.RTT > nearRTT {
		s.tail = tail{b, m.now.Add(tailAfter), tailTimes}
	}
}

// trail tells relays that they were sent everything, until they report the block: what was sent again may be lost, too.
func (m *Machine) trail() {
	for s := range m.around {
		t := &s.tail
		switch {
		case t.of == nil:
		case t.times == 0 || t.of.reports[s] != nil:
			s.tail = tail{} // it would keep the block
		case !m.now.Before(t.at):
			m.tell(s, &Frame{Kind: Tail, Ref: t.of.ref})
			t.at, t.times = m.now.Add(tailAfter+s.RTT/2), t.times-1
		}
	}
}
