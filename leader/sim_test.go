// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"cmp"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader"
)

// sim runs the elections of one organization in a network that is made of nothing but events. It behaves as package membership does: heartbeats
// every 5 s, give or take a tenth; one more 200 ms after the last one when there is something new, at growing gaps; changes of a view
// are looked at ten times a second at most; a heartbeat that brings nothing new wakes nobody; silence for 25 s is death.
type sim struct {
	t       testing.TB
	rand    *rand.Rand
	now     time.Duration
	queue   events
	serial  int
	nodes   []*simNode
	loss    float64       // of each heartbeat to each receiver
	delay   time.Duration // longest
	detect  time.Duration // longest time until a broken connection and a failed redial are noticed
	joins   time.Duration // the latest change of any view's size
	log     []change      // who has led, when
	slow    bool          // claims wait as pokes do
	orderer func(node int) bool
}

type change struct {
	at      time.Duration
	leaders []int
}

type simNode struct {
	*sim
	id       int
	name     peer.ID
	life     int // grows with each start and crash, so that events of an earlier life are void
	up       bool
	side     int // nodes of different sides do not hear each other
	offset   time.Duration
	drift    float64
	election *leader.Election
	view     []leader.Candidate // by node; no ID: not a member
	decision leader.Decision
	height   uint64
	failing  time.Duration // since when its orderer has failed it; -1: not
	stepped  time.Duration
	due      bool // a step is under way

	beaten time.Duration
	gap    time.Duration
	poked  bool
	urgent bool
	beat   int // serial of the valid timer
	waking int
}

const (
	interval = 5 * time.Second
	minGap   = 200 * time.Millisecond
	expiry   = 25 * time.Second
	patience = 10 * time.Second // of the caller with its source before CanPull turns false
)

func newSim(t testing.TB, seed uint64, nodes int) *sim {
	s := &sim{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)), delay: 50 * time.Millisecond, detect: 200 * time.Millisecond,
		orderer: func(int) bool { return true },
	}
	for id := range nodes {
		s.nodes = append(s.nodes, &simNode{
			sim: s, id: id, name: peer.ID(fmt.Sprintf("%04d", id)), failing: -1,
			offset: time.Duration(s.rand.Int64N(int64(time.Hour))), drift: 1 + (s.rand.Float64()-0.5)*2e-3,
		})
	}
	return s
}

func (s *sim) uniform(limit time.Duration) time.Duration {
	return time.Duration(s.rand.Int64N(int64(limit) + 1))
}

func (s *sim) after(d time.Duration, do func()) {
	s.serial++
	heap.Push(&s.queue, event{s.now + d, s.serial, do})
}

// run plays all events of the next d.
func (s *sim) run(d time.Duration) {
	for end := s.now + d; ; {
		if len(s.queue) == 0 || s.queue[0].at > end {
			s.now = end
			return
		}
		e := heap.Pop(&s.queue).(event)
		s.now = e.at
		e.do()
	}
}

func (s *sim) start(ids ...int) {
	for _, id := range ids {
		s.nodes[id].start()
	}
}

func (n *simNode) start() {
	election, err := leader.NewElection(leader.Timing{})
	require.NoError(n.t, err)
	n.life++
	n.up, n.election, n.view, n.decision = true, election, make([]leader.Candidate, len(n.nodes)), leader.Decision{}
	n.gap, n.poked, n.urgent, n.beaten, n.failing, n.due = minGap, false, false, n.now-time.Hour, -1, false
	n.look()
	n.arm(0)
}

// crash ends a process. When its machine is still there, its connections are seen to break.
func (n *simNode) crash(silently bool) {
	n.life++
	n.up, n.decision = false, leader.Decision{}
	n.record()
	for _, o := range n.nodes {
		if !silently {
			o.lose(n)
		}
	}
}

func (n *simNode) lose(o *simNode) {
	life := o.life
	n.later(n.uniform(n.detect), func() {
		if o.life == life && o.up && o.side == n.side {
			return // the redial has succeeded
		}
		n.remove(o.id)
	})
}

func (n *simNode) remove(id int) {
	if n.view[id].ID != "" {
		n.view[id] = leader.Candidate{}
		n.joins = n.now
		n.wake()
	}
}

// split gives each node a side. Connections between sides break, seen or silently.
func (s *sim) split(silently bool, side func(id int) int) {
	for _, n := range s.nodes {
		n.side = side(n.id)
	}
	for _, n := range s.nodes {
		for _, o := range s.nodes {
			if n.up && o.up && n.side != o.side && !silently {
				n.lose(o)
			}
		}
	}
}

// heal joins all sides; neighbours that meet again say so.
func (s *sim) heal() {
	for _, n := range s.nodes {
		if n.side = 0; n.up {
			n.later(n.uniform(time.Second), n.poke)
		}
	}
}

// later does something unless the node has died by then.
func (n *simNode) later(d time.Duration, do func()) {
	life := n.life
	n.after(d, func() {
		if n.life == life && n.up {
			do()
		}
	})
}

func (n *simNode) clock() time.Time {
	return time.Unix(0, 0).Add(n.offset + time.Duration(float64(n.now)*n.drift))
}

// look lets the election decide.
func (n *simNode) look() {
	n.stepped, n.due = n.now, false
	before := n.decision
	n.decision = n.election.Step(n.clock(), n.input())
	if n.decision.Lead != before.Lead {
		n.failing = -1
		n.source()
		n.record()
	}
	if n.decision.Tell {
		n.claim()
	}
	n.serial++
	n.waking = n.serial
	if mine := n.waking; !n.decision.Wake.IsZero() {
		n.later(time.Duration(float64(n.decision.Wake.Sub(n.clock()))/n.drift)+time.Microsecond, func() {
			if n.waking == mine {
				n.look()
			}
		})
	}
}

func (n *simNode) wake() {
	if n.due {
		return
	}
	n.due = true
	n.later(max(0, n.stepped+100*time.Millisecond-n.now), n.look)
}

// source follows what the orderer does for the leader; it is asked again every second.
func (n *simNode) source() {
	if !n.decision.Lead {
		return
	}
	switch {
	case n.orderer(n.id):
		n.failing = -1
	case n.failing < 0:
		n.failing = n.now
	case n.now-n.failing >= patience:
		n.wake()
	}
	n.later(time.Second, func() {
		if n.decision.Lead {
			n.source()
		}
	})
}

func (n *simNode) input() leader.Input {
	in := leader.Input{Self: n.name, Height: n.height, CanPull: n.failing < 0 || n.now-n.failing < patience}
	in.Peers = make([]leader.Candidate, 0, len(n.view))
	for _, p := range n.view {
		if p.ID != "" {
			in.Peers, in.Highest = append(in.Peers, p), max(in.Highest, p.Height)
		}
	}
	return in
}

func (n *simNode) poke() {
	if n.poked = true; n.urgent {
		return
	}
	n.arm(max(0, n.beaten+n.gap-n.now))
}

// claim sends a heartbeat that no crowd of newcomers can hold up, if the beacon can do that.
func (n *simNode) claim() {
	if n.slow {
		n.poke()
		return
	}
	n.urgent = true
	n.arm(max(0, n.beaten+minGap-n.now))
}

func (n *simNode) arm(d time.Duration) {
	n.serial++
	n.beat = n.serial
	mine := n.beat
	n.later(d, func() {
		if n.beat == mine {
			n.tell()
		}
	})
}

// tell sends a heartbeat to everybody.
func (n *simNode) tell() {
	if n.gap = min(2*n.gap, interval*9/10); !n.poked {
		n.gap = minGap
	}
	n.poked, n.urgent, n.beaten = false, false, n.now
	claim := leader.Candidate{ID: n.name, Height: n.height, Leads: n.decision.Lead}
	life := n.life
	for _, o := range n.nodes {
		if o == n || !o.up || o.side != n.side || n.rand.Float64() < n.loss {
			continue
		}
		o.later(time.Millisecond+n.uniform(n.delay), func() {
			if n.life == life && o.side == n.side {
				o.hear(n.id, claim)
			}
		})
	}
	n.arm(time.Duration(float64(interval) * (0.9 + 0.2*n.rand.Float64())))
}

func (n *simNode) hear(id int, claim leader.Candidate) {
	claim.LastSeen = n.clock()
	before := n.view[id]
	known := before.ID != ""
	n.view[id] = claim
	if !known {
		n.joins = n.now
		n.poke()
	}
	if !known || before.Leads != claim.Leads || before.Height != claim.Height {
		n.wake()
	}
	if !known {
		n.expire(id, expiry)
	}
}

func (n *simNode) expire(id int, in time.Duration) {
	n.later(in, func() {
		if n.view[id].ID == "" {
			return
		}
		if left := n.view[id].LastSeen.Add(expiry).Sub(n.clock()); left > 0 {
			n.expire(id, left+time.Millisecond)
			return
		}
		n.remove(id)
	})
}

// leaders are the nodes that lead now.
func (s *sim) leaders() (ids []int) {
	for _, n := range s.nodes {
		if n.up && n.decision.Lead {
			ids = append(ids, n.id)
		}
	}
	return ids
}

func (s *sim) record() { s.log = append(s.log, change{s.now, s.leaders()}) }

// spans calls do with every span since from and the number of leaders in it.
func (s *sim) spans(from time.Duration, do func(lasts time.Duration, leaders int)) {
	for i, c := range s.log {
		end := s.now
		if i+1 < len(s.log) {
			end = s.log[i+1].at
		}
		if begin := max(c.at, from); end > begin {
			do(end-begin, len(c.leaders))
		}
	}
}

// most is the greatest number of leaders at any instant since from, least the smallest.
func (s *sim) most(from time.Duration) (most int) {
	s.spans(from, func(_ time.Duration, leaders int) { most = max(most, leaders) })
	return most
}

func (s *sim) least(from time.Duration) int {
	least := len(s.nodes)
	s.spans(from, func(_ time.Duration, leaders int) { least = min(least, leaders) })
	return least
}

// vacant is for how long nobody has led since from, doubled for how long more than one.
func (s *sim) vacant(from time.Duration) (sum time.Duration) {
	s.spans(from, func(lasts time.Duration, leaders int) {
		if leaders == 0 {
			sum += lasts
		}
	})
	return sum
}

func (s *sim) doubled(from time.Duration) (sum time.Duration) {
	s.spans(from, func(lasts time.Duration, leaders int) {
		if leaders > 1 {
			sum += lasts
		}
	})
	return sum
}

// since is from when on there has been exactly the leader of now.
func (s *sim) since() time.Duration {
	if len(s.log) == 0 {
		return s.now
	}
	return s.log[len(s.log)-1].at
}

// first is when somebody has led for the first time at or after from.
func (s *sim) first(from time.Duration) time.Duration {
	for _, c := range s.log {
		if c.at >= from && len(c.leaders) > 0 {
			return c.at
		}
	}
	return s.now
}

type event struct {
	at     time.Duration
	serial int
	do     func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].at, q[j].at), q[i].serial-q[j].serial) < 0
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	*q = (*q)[:last]
	return e
}
