// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"cmp"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// runner is one who could lead, as we see it.
type runner struct {
	id     peer.ID
	height uint64
	out    bool      // is to let others try, or cannot pull
	green  bool      // had not been here for long when the lead became free
	gave   time.Time // when it last gave up; zero: never, or long ago
}

// rank returns how many are better than we, without those who lead already. The order is: who has not given up just now, who is not far behind the best of those, who has
// not come just before the lead became free, who has not given up for the longest time, lowest bytes of the peer ID.
func (e *Election) rank(in Input, peers, claims []candidate) (ahead int) {
	self := runner{in.Self, in.Height, e.retired(in), e.green(e.born), e.recent(e.gave)}
	field := []runner{self}
	for _, p := range peers {
		field = append(field, runner{p.ID, p.Height, e.passed(p), e.green(p.came), e.recent(p.gave)})
	}
	best := e.best(field)
	for _, r := range field {
		if _, leads := find(claims, r.id); !leads && e.better(r, self, best) {
			ahead++
		}
	}
	return ahead
}

// best is the height by which others are behind: the greatest one of those that have not given up, or of all if all have.
func (e *Election) best(field []runner) (in uint64) {
	var all uint64
	able := false
	for _, r := range field {
		all = max(all, r.height)
		if !r.out {
			in, able = max(in, r.height), true
		}
	}
	if !able {
		return all
	}
	return in
}

func (e *Election) better(a, b runner, best uint64) bool {
	return cmp.Or(
		compareBool(a.out, b.out),
		compareBool(e.behind(a.height, best), e.behind(b.height, best)),
		compareBool(a.green, b.green),
		a.gave.Compare(b.gave),
		cmp.Compare(a.id, b.id),
	) < 0
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// behind reports whether a height is far below another.
func (e *Election) behind(height, of uint64) bool {
	return of > height && of-height > e.t.MaxLag
}

// acquaintance is how long a newcomer may need to be connected to the leader that it hears of: the two seconds for which one of two hosts
// leaves the dialing to the other, and handshakes. Whoever is not connected does not see a connection break, and believes a dead leader's
// last heartbeat for as long as heartbeats are believed. Nobody should wait for it.
const acquaintance = 5 * time.Second

// green reports whether who came then had not been here for long when the lead became free.
func (e *Election) green(came time.Time) bool { return e.without.Before(came.Add(acquaintance)) }

// retired reports whether others should lead rather than we.
func (e *Election) retired(in Input) bool { return !in.CanPull || e.rests(e.gave) }

// passed reports whether others should lead rather than p.
func (e *Election) passed(p candidate) bool {
	return e.rests(p.stuck) || e.rests(p.gave) || e.liar(p.sight)
}

func (e *Election) rests(gave time.Time) bool {
	return !gave.IsZero() && !e.clock.past(gave.Add(e.t.rest()))
}

func (e *Election) recent(gave time.Time) time.Time {
	if e.clock.past(gave.Add(e.t.memory())) {
		return time.Time{}
	}
	return gave
}
