// SPDX-License-Identifier: Apache-2.0

package host

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// tieBreak is how long the host with the higher peer ID leaves the dialing to the other one: hosts that dial each other
	// at once keep two connections. Two seconds are some round trips and a handshake on any link.
	// For each member that is not connected yet it is longer by a share of what an attempt takes: the other one has as many to dial,
	// half of them itself, and least of a window at one time.
	tieBreak        = 2 * time.Second
	share           = 8
	longestTieBreak = 10 * time.Second
	// spread is how long at most the redial of a lost connection is put off, by chance: who lost it together with many others
	// is not dialed by all at the same moment. The higher peer ID waits stagger more, no tieBreak: every millisecond counts.
	spread  = 50 * time.Millisecond
	stagger = 100 * time.Millisecond
	// grace is how long a lost connection may take to come back before its member counts as unreachable. A round trip or
	// three of a redial fit in; a dial to a host that is gone takes 5 s and more to fail.
	grace = 500 * time.Millisecond
	// firstRetry is the wait after the first failure. lastRetry, for members, and lastRetryAddress bound the wait after many:
	// what a healed partition costs at worst. 300 dead members cost 40 attempts a second when their hosts refuse at once, a
	// packet or two each; when nobody answers, an attempt takes 5 s or more, and the 16 that run at one time make 3 a second
	// at most, however short the wait is. 25 s is Fabric's peer.gossip.reconnectInterval.
	firstRetry       = time.Second
	lastRetry        = 10 * time.Second
	lastRetryAddress = 25 * time.Second
	// steady is how long a connection must have lived to be worth an immediate redial. Of those that end sooner only the
	// first in a row is, so that a peer that hangs up on us is not dialed in a loop.
	steady = 30 * time.Second
)

// target is what is to be connected: a member, or whoever is at an address. One of the first two fields is set.
type target struct {
	id    peer.ID
	addr  string
	spare bool // an address for when nobody is connected
}

// progress is how far a target is.
type progress struct {
	running  bool      // an attempt is under way
	dropped  bool      // not wanted any more; forgotten when the attempt ends
	up       bool      // connected and authenticated
	peer     peer.ID   // who is there, as far as known; stays when the connection ends
	since    time.Time // up since
	lost     bool      // was up, and is neither up again nor told as unreachable
	report   time.Time // when it is told, unless a connection is there again; zero: not
	never    bool      // the address is our own, or none
	failures int       // attempts in a row that failed
	begun    time.Time // when the last attempt began, of a member that has never been up
	brief    int       // connections in a row that were not steady
	next     time.Time // not before
}

// plan decides which targets are attempted when. It is the pure core of the [Keeper]: no clock, no goroutine, no I/O. What
// happens comes in as want, connected, disconnected and done; overdue says who is unreachable, and then due what to do now
// and when to ask again. Targets that it returned are being attempted until done is called for them. It belongs to one
// goroutine.
type plan struct {
	self    peer.ID
	rand    *rand.Rand
	targets map[target]*progress
	surplus surplus
	took    time.Duration // what attempts that connect take, lately
}

func newPlan(self peer.ID, rnd *rand.Rand) *plan {
	return &plan{self: self, rand: rnd, targets: make(map[target]*progress)}
}

// want sets the targets. New ones are due at once, or after the tie break unless they are found at an address already; those that
// are gone are forgotten.
func (p *plan) want(now time.Time, targets map[target]struct{}) {
	for t, s := range p.targets {
		if _, ok := targets[t]; ok {
			s.dropped = false
		} else if s.dropped = s.running; !s.running {
			delete(p.targets, t)
		}
	}
	missing := p.missing(targets)
	for t := range targets {
		if _, ok := p.targets[t]; !ok && t.id != p.self {
			s := &progress{peer: t.id, next: now}
			if !p.found(t.id) {
				s.next = now.Add(p.firstTurn(t, missing))
			}
			p.targets[t] = s
		}
	}
}

// found says whether a member is connected and authenticated as whoever is at an address: then there is nothing to dial.
func (p *plan) found(id peer.ID) bool {
	for t, s := range p.targets {
		if t.addr != "" && s.peer == id && s.up {
			return true
		}
	}
	return false
}

// connected tells of a connection, whoever dialed it. It is authenticated soon, unless that is under way.
func (p *plan) connected(now time.Time, id peer.ID) {
	for t, s := range p.targets {
		if s.peer == id && !s.up {
			s.report = time.Time{}
			p.hasten(now, t, s)
		}
	}
}

func (p *plan) hasten(now time.Time, t target, s *progress) {
	wait := p.turn(t)
	if s.failures > 0 || s.brief > 1 {
		wait = max(wait, firstRetry)
	}
	if at := now.Add(wait); at.Before(s.next) {
		s.next = at
	}
}

// disconnected tells that the last connection to a peer ended.
func (p *plan) disconnected(now time.Time, id peer.ID) {
	for t, s := range p.targets {
		switch {
		case s.peer != id:
		case s.up:
			p.fall(now, t, s)
		case s.lost: // it was back, but not authenticated yet
			s.report = now.Add(grace)
		}
	}
}

// fall takes in that the connection to a target ended. Both ends redial at once.
func (p *plan) fall(now time.Time, t target, s *progress) {
	s.up = false
	if s.lost = t.id != ""; s.lost {
		s.report = now.Add(grace)
	}
	s.brief++
	if now.Sub(s.since) >= steady {
		s.brief = 0
	}
	if s.brief > 1 {
		s.next = now.Add(p.wait(t, s.brief-1) + p.turn(t))
		return
	}
	s.next = now.Add(time.Duration(p.rand.Int64N(int64(spread) + 1)))
	if p.turn(t) > 0 {
		s.next = s.next.Add(stagger)
	}
}

func (p *plan) fail(now time.Time, t target, s *progress) {
	s.failures++
	s.next = now.Add(p.wait(t, s.failures) + p.turn(t))
}

// attempt is how one attempt ended.
type attempt struct {
	target target
	peer   peer.ID   // who is there, when that became known
	err    error     // nil: connected and authenticated
	linked bool      // a connection to peer is there now
	never  bool      // the address is our own, or none: not to be tried again
	begun  time.Time // when it began
}

// failures is how many attempts in a row failed.
func (p *plan) failures(t target) int {
	if s, ok := p.targets[t]; ok {
		return s.failures
	}
	return 0
}

// done takes in how an attempt ended.
func (p *plan) done(now time.Time, a attempt) {
	s, ok := p.targets[a.target]
	if !ok {
		return
	}
	s.running = false
	if a.peer != "" {
		s.peer = a.peer
	}
	if a.linked {
		s.report = time.Time{}
	}
	switch {
	case s.dropped:
		delete(p.targets, a.target)
	case a.never:
		s.never = true
	case a.err == nil && a.linked:
		s.up, s.since, s.lost, s.failures = true, now, false, 0
		p.took = (3*p.took + now.Sub(a.begun)) / 4
	default:
		s.begun = a.begun
		p.fail(now, a.target, s)
		if a.target.id != "" && !a.linked && s.since.IsZero() && s.failures == 1 {
			s.report = now // what we heard of this member may have been its last words
		}
	}
}

// overdue returns the members whose connection was lost and has not come back in time, once for each loss, and those that
// could not be reached when they were new to us.
func (p *plan) overdue(now time.Time) (unreachable []peer.ID) {
	for t, s := range p.targets {
		if s.report.IsZero() || s.report.After(now) {
			continue
		}
		s.lost, s.report = false, time.Time{}
		if !s.dropped {
			unreachable = append(unreachable, t.id)
		}
	}
	slices.Sort(unreachable)
	return unreachable
}

// unheard is since when a member that is unreachable has to have been silent for that to count: the attempt that failed has proved nothing
// about one that others hear meanwhile. Zero for a connection that was lost.
func (p *plan) unheard(id peer.ID) time.Time {
	if s, ok := p.targets[target{id: id}]; ok && s.since.IsZero() {
		return s.begun
	}
	return time.Time{}
}

// due returns targets to attempt now and when to ask again; zero: not before something happens. Those that wait longest go
// first, but before them those that did not fail last time, which may take all slots; the others leave spare ones free, so that
// no redial waits for the dials of dead members to time out.
//
// An address where a member was found that is wanted, or that needs no connection, is left alone while anybody is connected, since the member is a target itself.
// Any other address is tried until somebody is there: who was there once may be forgotten as a member, after a long partition
// say, or never have been one, and then the address is the only way to the other side.
func (p *plan) due(now time.Time, slots, spare int) (start []target, wake time.Time) {
	alone := p.alone()
	var fresh, failed []target
	for t, s := range p.targets {
		wake = sooner(wake, s.report)
		switch {
		case s.running || s.up || s.never || t.addr != "" && !alone && (t.spare || p.wanted(s.peer) || p.surplus.has(s.peer)):
		case s.next.After(now):
			wake = sooner(wake, s.next)
		case s.failures == 0:
			fresh = append(fresh, t)
		default:
			failed = append(failed, t)
		}
	}
	start = p.first(fresh, slots)
	start = append(start, p.first(failed, slots-spare-len(start))...)
	for _, t := range start {
		p.targets[t].running = true
	}
	return start, wake
}

// first returns up to n targets, those that wait longest first.
func (p *plan) first(ready []target, n int) []target {
	slices.SortFunc(ready, func(a, b target) int {
		return cmp.Or(p.targets[a].next.Compare(p.targets[b].next), cmp.Compare(a.id, b.id), cmp.Compare(a.addr, b.addr))
	})
	return ready[:min(len(ready), max(n, 0))]
}

// sooner is the earlier of two times; a zero one is none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// wanted says whether somebody is to be connected as a member.
func (p *plan) wanted(id peer.ID) bool {
	s, ok := p.targets[target{id: id}]
	return ok && !s.dropped
}

// who is at a target, as far as known.
func (p *plan) who(t target) peer.ID { return p.targets[t].peer }

// joining says that nobody is connected yet, and that some addresses have not been tried.
func (p *plan) joining() bool {
	joining := false
	for t, s := range p.targets {
		if s.up {
			return false
		}
		joining = joining || t.addr != "" && !s.never && s.failures == 0
	}
	return joining
}

// alone says that nobody is connected.
func (p *plan) alone() bool {
	for _, s := range p.targets {
		if s.up {
			return false
		}
	}
	return true
}

// kept returns whom to protect, members and whoever is connected at an address; how many members are wanted; and how many of
// them are up.
func (p *plan) kept() (protect map[peer.ID]struct{}, wanted, up int) {
	protect = make(map[peer.ID]struct{}, len(p.targets))
	for t, s := range p.targets {
		if !s.dropped && (t.id != "" || s.up && !p.surplus.has(s.peer)) {
			protect[s.peer] = struct{}{}
		}
		if t.id == "" {
			continue
		}
		wanted++
		if s.up {
			up++
		}
	}
	return protect, wanted, up
}

// turn is how long to leave the dialing of a member to the member, and that of a spare address to the others.
func (p *plan) turn(t target) time.Duration {
	if !t.spare && t.id == "" || p.self < t.id {
		return 0
	}
	return tieBreak
}

// firstTurn is turn for a member that is new to us, where so many are missing.
func (p *plan) firstTurn(t target, missing int) time.Duration {
	turn := p.turn(t)
	if t.id == "" || turn == 0 {
		return turn
	}
	return min(turn+time.Duration(missing)*p.took/share, longestTieBreak)
}

// missing is how many of some targets are members that are not up.
func (p *plan) missing(targets map[target]struct{}) (n int) {
	for t := range targets {
		if s, ok := p.targets[t]; t.id != "" && (!ok || !s.up) {
			n++
		}
	}
	return n
}

// wait is the wait after so many failures in a row: firstRetry doubled with each, up to a bound, and half of that left to
// chance, so that those who lost a peer at the same time do not come back at the same time.
func (p *plan) wait(t target, failures int) time.Duration {
	d := lastRetry
	if t.addr != "" {
		d = lastRetryAddress
	}
	if shift := failures - 1; shift < 6 {
		d = min(d, firstRetry<<shift)
	}
	return d/2 + time.Duration(p.rand.Int64N(int64(d/2)+1))
}
