// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader"
)

// simNode is one member: an election, a view, a beacon and a clock of its own.
type simNode struct {
	*sim
	id       int
	name     peer.ID
	started  time.Duration
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

	beaten  time.Duration
	beating time.Duration // when it beats next
	gap     time.Duration
	poked   bool
	urgent  bool
	beat    int // serial of the valid timer
	waking  int
}

func (n *simNode) start() {
	election, err := leader.NewElection(n.timing)
	require.NoError(n.t, err)
	n.life++
	n.started = n.now
	n.up, n.election, n.view, n.decision = true, election, make([]leader.Candidate, len(n.nodes)), leader.Decision{}
	n.gap, n.poked, n.urgent, n.beaten, n.failing, n.due = minGap, false, false, n.now-time.Hour, -1, false
	n.look()
	n.arm(0)
}

// crash ends a process. When its machine is still there, its connections are seen to break.
func (n *simNode) crash(silently bool) {
	n.life++
	said := n.word()
	n.up, n.decision = false, leader.Decision{}
	n.record()
	for _, o := range n.nodes {
		switch {
		case n.now < o.started+acquaint:
			n.haunt(o, said)
		case !silently:
			o.lose(n)
		}
	}
}

// haunt brings a newcomer our last word when we are dead, as those who passed it on do. It has no connection to us that could break, and
// dials us in vain.
func (n *simNode) haunt(o *simNode, said leader.Candidate) {
	life := n.life
	o.later(n.uniform(n.delay), func() {
		if n.life == life {
			o.hear(n.id, said)
		}
	})
	o.later(unanswered, func() {
		if n.life == life {
			o.remove(n.id)
		}
	})
}

// echo brings some their last word of us when they have believed us dead already: gossipsub offers again, once a second, what it has brought to
// a part of a mesh.
func (n *simNode) echo(said leader.Candidate) {
	for _, o := range n.nodes {
		if o != n && o.up && n.rand.IntN(3) == 0 {
			o.later(n.uniform(1200*time.Millisecond), func() { o.hear(n.id, said) })
		}
	}
}

// word is what our heartbeat says.
func (n *simNode) word() leader.Candidate {
	return leader.Candidate{ID: n.name, Height: n.height, Leads: n.decision.Lead, Near: !n.far}
}

func (n *simNode) lose(o *simNode) {
	life := o.life
	n.later(grace+n.uniform(n.detect), func() {
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
	n.arm(max(0, min(n.beaten+n.gap, n.beating)-n.now))
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
	n.beating = n.now + d
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
	claim := n.word()
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
	every := interval
	if n.decision.Lead && !n.far {
		every = n.beats
	}
	n.arm(time.Duration(float64(every) * (0.9 + 0.2*n.rand.Float64())))
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
