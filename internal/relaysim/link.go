// SPDX-License-Identifier: Apache-2.0

package relaysim

import (
	"slices"
	"time"

	"github.com/weft-p2p/weft/blocksync/relay"
)

// Packets, as QUIC has them, and its congestion window in slow start.
const (
	payload, overhead = 1200, 60
	firstWindow       = 32 * payload
	cut               = 0.7
)

// link is one direction of a connection.
type link struct {
	from, to       *Peer
	control, data  []*transfer
	lost           []packet // to be sent again
	doubtful       []packet // lost, and nothing that was sent later is acknowledged
	window, thresh float64
	flying         float64
	queued         bool // in its peer's ring
	sequence       int
	cutAt          time.Duration
	newest         int // sequence of the newest packet that was acknowledged
}

// transfer is a frame on its way.
type transfer struct {
	frame           *relay.Frame
	left, got, size int
}

type packet struct {
	link     *link
	transfer *transfer
	bytes    int
	sequence int
	late     bool
}

func (p *Peer) link(to int) *link {
	l := p.links[to]
	if l == nil {
		l = &link{from: p, to: p.sim.Peers[to], window: firstWindow, thresh: 1e12}
		p.links[to] = l
	}
	return l
}

// wake lets the connection to a peer look for something to send.
func (p *Peer) wake(to int) {
	l := p.link(to)
	if !l.queued {
		l.queued = true
		p.ring = append(p.ring, l)
	}
	p.transmit()
}

// room says whether the window lets another packet out.
func (l *link) room() bool { return l.flying+payload <= l.window }

// transmit puts the next packet on the uplink, of the connections in turn.
func (p *Peer) transmit() {
	for !p.sending && len(p.ring) > 0 {
		l := p.ring[0]
		p.ring = p.ring[1:]
		pk, ok := l.next()
		if !ok {
			l.queued = false
			continue
		}
		p.ring = append(p.ring, l)
		p.sending = true
		p.sim.Wire += int64(pk.bytes + overhead)
		p.Sent += int64(pk.bytes + overhead)
		p.sim.at(p.sim.now+time.Duration(float64(pk.bytes+overhead)/p.up), event{kind: sent, peer: p, packet: pk})
	}
}

// next is the next packet of a connection: what was lost, then control, then data.
func (l *link) next() (packet, bool) {
	if len(l.lost) > 0 {
		pk := l.lost[0]
		l.lost = l.lost[1:]
		l.sequence++
		pk.sequence = l.sequence
		l.flying += float64(pk.bytes)
		return pk, true
	}
	if !l.room() {
		return packet{}, false
	}
	q := &l.control
	if len(*q) == 0 && !l.pull(q, false) {
		if q = &l.data; len(*q) == 0 && !l.pull(q, true) {
			return packet{}, false
		}
	}
	t := (*q)[0]
	n := min(t.left, payload)
	if t.left -= n; t.left == 0 {
		*q = (*q)[1:]
	}
	l.flying += float64(n)
	l.sequence++
	return packet{link: l, transfer: t, bytes: n, sequence: l.sequence}, true
}

// pull asks the machine for the next frame.
func (l *link) pull(q *[]*transfer, data bool) bool {
	s := l.from.sim
	for len(*q) == 0 {
		f, ok := l.from.Next(s.time(), l.to.id, data)
		if !ok {
			return false
		}
		frames := []*relay.Frame{f}
		if s.Send != nil {
			frames = s.Send(l.from.index, l.to.index, f)
		}
		for _, f := range frames {
			*q = append(*q, &transfer{frame: f, left: f.Size(), size: f.Size()})
		}
	}
	return true
}

func (s *Sim) handle(e event) {
	l, pk := e.packet.link, e.packet
	switch e.kind {
	case sent:
		e.peer.sending = false
		delay := s.Latency(l.from.index, l.to.index)
		if s.Loss > 0 && s.rand.Float64() < s.Loss {
			s.at(s.now+2*delay*5/4, event{kind: missed, packet: pk})
		} else {
			s.at(s.now+delay, event{kind: arrived, packet: pk})
		}
		e.peer.transmit()
	case arrived:
		l.to.free = max(l.to.free, s.now) + time.Duration(float64(pk.bytes+overhead)/l.to.down)
		s.at(l.to.free, event{kind: through, packet: pk})
	case through:
		s.at(s.now+s.Latency(l.to.index, l.from.index), event{kind: acked, packet: pk})
		if pk.transfer.got += pk.bytes; pk.transfer.got >= pk.transfer.size {
			l.to.receive(l.from, pk.transfer.frame)
		}
	case acked:
		l.acked(pk)
	case missed:
		l.missed(pk)
	case ticked:
		if e.peer.tick == s.now { // otherwise it looks at another time
			e.peer.tick = 0
			e.peer.Tick(s.time())
			e.peer.act()
		}
	}
}

func (l *link) acked(pk packet) {
	used := l.flying > l.window/2
	l.newest = max(l.newest, pk.sequence)
	l.flying -= float64(pk.bytes)
	if used && l.window < l.thresh {
		l.window += float64(pk.bytes)
	} else if used {
		l.window += payload * float64(pk.bytes) / l.window
	}
	for len(l.doubtful) > 0 && l.doubtful[0].sequence < l.newest {
		l.resend(l.doubtful[0])
		l.doubtful = l.doubtful[1:]
	}
	l.from.wake(l.to.index)
}

// missed is a loss that the sender could notice now, if a packet that it sent later was acknowledged; otherwise it does when one is,
// or by a timeout (RFC 9002, 6.1.2 and 6.2).
func (l *link) missed(pk packet) {
	s := l.from.sim
	same := func(other packet) bool { return other.sequence == pk.sequence }
	switch {
	case !pk.late && pk.sequence > l.newest:
		l.doubtful = append(l.doubtful, pk)
		pk.late = true
		s.at(s.now+s.Latency(l.from.index, l.to.index)+25*time.Millisecond, event{kind: missed, packet: pk})
	case !pk.late:
		l.resend(pk)
	case slices.ContainsFunc(l.doubtful, same):
		l.doubtful = slices.DeleteFunc(l.doubtful, same)
		l.resend(pk)
	}
}

// resend takes a lost packet out of the window, which gets smaller once a round trip, and puts it before all others.
func (l *link) resend(pk packet) {
	s := l.from.sim
	rtt := 2 * s.Latency(l.from.index, l.to.index)
	pk.late = false
	l.flying -= float64(pk.bytes)
	if s.now-l.cutAt > rtt {
		l.cutAt = s.now
		l.window = max(2*payload, l.window*cut)
		l.thresh = l.window
	}
	l.lost = append(l.lost, pk)
	l.from.wake(l.to.index)
}
