// SPDX-License-Identifier: Apache-2.0

// Package relaysim runs relay machines over a simulated network of packets, by discrete events and without real time: the
// same machines that run over streams, in networks of a thousand peers. Every peer has an uplink that its connections share
// packet by packet, a downlink, and a congestion window on each connection (slow start, halved by loss); connections ask the
// machine for the next frame when they can send, as the streams do. What it leaves out: pacing, queues in the network,
// acknowledgements' bytes, and processor time. Everything follows from the seed.
package relaysim

import (
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/grid"
)

// Config is a network.
type Config struct {
	Peers   int
	Up      func(i int) float64                               // bits a second; nil: 100e6
	Down    func(i int) float64                               // nil: 100e6
	Latency func(a, b int) time.Duration                      // one way; nil: 25 ms
	Linked  func(a, b int) bool                               // nil: everybody
	Rows    bool                                              // only neighbours of the grid and members of one of several organizations are connected, of those that Linked allows
	Org     func(i int) string                                // nil: one
	Hidden  func(i int) bool                                  // nil: nobody
	Guests  bool                                              // hidden members are connected to visible ones of other organizations, who take them for guests
	Few     bool                                              // each of them to some only, by the grid
	Leader  func(i int) bool                                  // nil: nobody
	Sees    func(a, b int) bool                               // whether a has b in its view; nil: everybody
	Send    func(from, to int, f *relay.Frame) []*relay.Frame // what a peer really sends; nil: f
	Judge   time.Duration                                     // time to verify an announcement
	Sealed  int                                               // bytes of an announcement
	Topic   time.Duration                                     // how long gossipsub takes to bring an announcement to everybody; 0: never
	Loss    float64
	// NoParity: no block gets parity.
	NoParity bool
	Seed     uint64
}

// Sim is a network at a moment of virtual time.
type Sim struct {
	Config
	Peers []*Peer
	now   time.Duration
	queue events
	count uint64
	rand  *rand.Rand
	short map[peer.ID]int
	rows  []map[peer.ID]struct{} // whose neighbours
	orgs  bool                   // there are several organizations

	Wire    int64 // bytes of packets
	Payload int64 // bytes of frames that were received
	sealed  []relay.Announcement
}

// Peer is a node of the network.
type Peer struct {
	*relay.Machine
	sim      *Sim
	index    int
	id       peer.ID
	up, down float64 // bytes a nanosecond
	sending  bool
	ring     []*link // connections that have something to send and may
	free     time.Duration
	links    map[int]*link
	tick     time.Duration // when the machine looks next; 0 if it need not
	height   uint64
	Got      map[uint64]time.Duration
	Lost     map[uint64]bool // blocks that the relay gave up
	Refuted  int
	Sent     int64 // bytes of packets
	// OnComplete, if set, decides about a body.
	OnComplete func(relay.Complete) bool
}

// New makes the network; everybody knows everybody.
func New(c Config) *Sim {
	fill(&c)
	s := &Sim{Config: c, rand: rand.New(rand.NewPCG(c.Seed, 7)), short: map[peer.ID]int{}}
	for i := range c.Peers {
		s.orgs = s.orgs || c.Org(i) != c.Org(0)
		p := &Peer{
			sim: s, index: i, id: ID(i), up: c.Up(i) / 8e9, down: c.Down(i) / 8e9, links: map[int]*link{},
			Got: map[uint64]time.Duration{}, Lost: map[uint64]bool{}, height: 1,
			Machine: relay.New(relay.Config{Self: ID(i), Org: c.Org(i), Hidden: c.Hidden(i), NoParity: c.NoParity, Rand: rand.New(rand.NewPCG(c.Seed, uint64(1000+i)))}),
		}
		s.short[p.id] = i
		s.Peers = append(s.Peers, p)
	}
	s.rank()
	for i := range c.Peers {
		s.Meet(i)
	}
	return s
}

// rank finds out who is to be connected to whom.
func (s *Sim) rank() {
	if !s.Rows && !s.Few {
		return
	}
	var visible []peer.ID
	for i := range s.Config.Peers {
		if !s.Hidden(i) {
			visible = append(visible, ID(i))
		}
	}
	g := grid.New(visible...)
	for i := range s.Config.Peers {
		own := g
		if s.Hidden(i) {
			own = grid.New(append(visible, ID(i))...)
		}
		s.rows = append(s.rows, own.Neighbours(ID(i)))
	}
}

// far says whether two peers are not to be connected. Who is hidden chooses its neighbours among the visible members itself.
func (s *Sim) far(a, b int) bool {
	some := s.Rows || s.Few && (s.Hidden(a) || s.Hidden(b))
	if !some || s.orgs && s.Org(a) == s.Org(b) {
		return false
	}
	if s.Hidden(b) {
		a, b = b, a
	}
	_, near := s.rows[a][ID(b)]
	return !near
}

// sees says whether a has b in its view, and as a guest.
func (s *Sim) sees(a, b int) (sees, guest bool) {
	if !s.Sees(a, b) {
		return false, false
	}
	if s.Org(a) == s.Org(b) || !s.Hidden(a) && !s.Hidden(b) {
		return true, false
	}
	guest = !s.Hidden(a)
	return s.Guests && !(s.Hidden(a) && s.Hidden(b)) && (!guest || !s.far(a, b)), guest
}

func fill(c *Config) {
	if c.Up == nil {
		c.Up = func(int) float64 { return 100e6 }
	}
	if c.Down == nil {
		c.Down = func(int) float64 { return 100e6 }
	}
	if c.Latency == nil {
		c.Latency = func(int, int) time.Duration { return 25 * time.Millisecond }
	}
	if c.Linked == nil {
		c.Linked = func(int, int) bool { return true }
	}
	if c.Sees == nil {
		c.Sees = func(int, int) bool { return true }
	}
	if c.Org == nil {
		c.Org = func(int) string { return "org" }
	}
	if c.Hidden == nil {
		c.Hidden = func(int) bool { return false }
	}
	if c.Leader == nil {
		c.Leader = func(int) bool { return false }
	}
	if c.Sealed == 0 {
		c.Sealed = 2200
	}
}

// ID is the peer ID of peer i. It says nothing about i to a machine.
func ID(i int) peer.ID {
	return peer.ID([]byte{byte(i*167 + 13), byte(i >> 8), byte(i), 'p'})
}

// Meet gives peer i its view of the others.
func (s *Sim) Meet(i int) {
	var view []relay.Member
	for j := range s.Peers {
		sees, guest := s.sees(i, j)
		if j == i || !sees {
			continue
		}
		view = append(view, relay.Member{
			ID: ID(j), Org: s.Org(j), RTT: s.Latency(i, j) + s.Latency(j, i), Connected: s.Linked(i, j) && !s.far(i, j), Far: s.far(i, j), Hidden: s.Hidden(j) && !guest, Guest: guest, Leader: s.Leader(j),
		})
	}
	s.Peers[i].Members(s.time(), view)
}

// epoch is the beginning of virtual time.
var epoch = time.Unix(1_000_000, 0)

func (s *Sim) time() time.Time { return epoch.Add(s.now) }

// Height is how many blocks a peer has without a gap, the genesis block included.
func (p *Peer) Height() uint64 { return p.height }

// Now is the virtual time since the beginning.
func (s *Sim) Now() time.Duration { return s.now }

// After calls f at a later time.
func (s *Sim) After(d time.Duration, f func()) { s.at(s.now+d, event{call: f}) }

// Run lets time pass.
func (s *Sim) Run(d time.Duration) {
	until := s.now + d
	for len(s.queue) > 0 && s.queue[0].at <= until {
		e := s.queue.pop()
		s.now = e.at
		if e.call != nil {
			e.call()
		} else {
			s.handle(e)
		}
	}
	s.now = until
}

// act does what a peer's machine wants.
func (p *Peer) act() {
	e := p.Take()
	for _, id := range e.Wake {
		p.wake(p.sim.short[id])
	}
	for _, c := range e.Complete {
		p.complete(c)
	}
	for _, r := range e.Rebuild {
		p.Rebuilt(p.sim.time(), r.Run())
		p.act()
	}
	for _, l := range e.GiveUp {
		p.Lost[l.Number] = true
	}
	if due := p.Due(); !due.IsZero() && (p.tick == 0 || due.Sub(epoch) < p.tick) {
		p.tick = due.Sub(epoch)
		p.sim.at(p.tick, event{kind: ticked, peer: p})
	}
}

func (p *Peer) complete(c relay.Complete) {
	if p.OnComplete != nil && !p.OnComplete(c) {
		p.Refuted++
		p.Refute(p.sim.time(), c.Announcement)
		return
	}
	p.has(c.Number)
}

// has notes that a peer has a block, and commits in order.
func (p *Peer) has(number uint64) {
	if _, twice := p.Got[number]; !twice {
		p.Got[number] = p.sim.now
	}
	for {
		if _, ok := p.Got[p.height]; !ok {
			return
		}
		p.height++
		p.Committed(p.sim.time(), p.height)
	}
}
