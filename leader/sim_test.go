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
	detect  time.Duration // longest time until a broken connection and a failed redial are noticed, besides grace
	joins   time.Duration // the latest change of any view's size
	log     []change      // who has led, when
	slow    bool          // claims wait as pokes do
	orderer func(node int) bool
	timing  leader.Timing
	beats   time.Duration // how often a leader beats
	far     bool          // the organization has no topic of its own: a leader beats as all others do
}

type change struct {
	at      time.Duration
	leaders []int
}

const (
	interval   = 5 * time.Second
	minGap     = 200 * time.Millisecond
	grace      = 500 * time.Millisecond // of the keeper with a connection that was lost
	expiry     = 25 * time.Second
	acquaint   = 2 * time.Second  // how long a newcomer may leave the dialing to the other one
	unanswered = 5 * time.Second  // a dial to a machine that is gone
	patience   = 10 * time.Second // of the caller with its source before CanPull turns false
)

func newSim(t testing.TB, seed uint64, nodes int) *sim {
	s := &sim{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)), delay: 50 * time.Millisecond, detect: 150 * time.Millisecond,
		orderer: func(int) bool { return true }, beats: leader.DefaultTiming().LeaderBeat,
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
