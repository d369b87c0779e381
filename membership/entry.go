// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weft-p2p/weft/msp"
)

// Source is the topic that a heartbeat travelled on. Members of our own
// organization may be heard on both.
type Source int

const (
	Organization Source = iota // the topic of our own organization
	Channel                    // the topic of the channel
)

type phase int

const (
	gone phase = iota // a tombstone: only its positions count
	dead
	alive
)

// entry is what a view keeps about one host key.
type entry struct {
	id     peer.ID
	record *msp.Record // nil when gone
	key    msp.Key     // what PerIdentity counts
	org    string

	phase    phase
	newest   position // of anything heard
	left     position // of the last farewell: nothing up to here counts again
	lastSeen time.Time
	state    ChannelState
	own      sighting // by Source
	channel  sighting

	struck  bool // dead because it seemed unreachable
	refuted bool // heard again after that: others reach it, the next report must wait
	suspect bool // reported again: dies after a shorter silence

	until time.Time // gone: when the tombstone goes
}

// sighting is what was last heard on one of the two topics.
type sighting struct {
	at    position
	seen  time.Time
	addrs []ma.Multiaddr
}

func (s sighting) empty() bool { return s.at == position{} }

func (e *entry) sighting(from Source) *sighting {
	if from == Channel {
		return &e.channel
	}
	return &e.own
}

// hear takes a heartbeat that is newer than everything heard before.
func (e *entry) hear(at time.Time, from Source, h *Heartbeat, state ChannelState) Kind {
	s, before, restarted := e.sighting(from), e.phase, e.restarted(h)
	same := before != gone && !s.empty() && e.record.Digest() == h.Record.Digest() &&
		e.state.standing() == state.standing() && equalAddrs(s.addrs, h.Addrs)
	moved := !e.state.equal(state)
	e.refuted = (e.refuted || e.struck) && h.Record.Incarnation() == e.newest.incarnation
	e.struck, e.suspect = false, false
	e.setRecord(h.Record)
	e.phase, e.newest, e.lastSeen, e.state = alive, h.position(), at, state
	*s = sighting{at: e.newest, seen: at, addrs: h.Addrs}
	switch {
	case before == gone:
		return Joined
	case before == dead, restarted:
		return Returned
	case same && moved:
		return Advanced
	case same:
		return Refreshed
	}
	return Updated
}

// restarted reports whether a newer heartbeat comes of another process than
// those before: in one process no sequence repeats, whatever the incarnation.
func (e *entry) restarted(h *Heartbeat) bool { return h.Sequence <= e.newest.sequence }

// late takes a heartbeat that the other topic has overtaken: it is no sign of
// life any more, but the newest word on the addresses of its own topic.
func (e *entry) late(at time.Time, from Source, h *Heartbeat) Kind {
	s := e.sighting(from)
	switch order := h.position().compare(s.at); {
	case order == 0:
		return Equal
	case order < 0:
		return Older
	}
	same := !s.empty() && equalAddrs(s.addrs, h.Addrs)
	*s = sighting{at: h.position(), seen: at, addrs: h.Addrs}
	if same {
		return Older
	}
	return Updated
}

// farewell takes a goodbye that comes after left. One that was overtaken by a
// newer heartbeat still ends what was heard before it.
func (e *entry) farewell(p position, until time.Time) Kind {
	e.left = p
	if e.newest.after(p) {
		return e.forgetUpTo(p)
	}
	before := e.phase
	e.newest = p
	e.bury(until)
	if before == gone {
		return Absent
	}
	return Left
}

func (e *entry) forgetUpTo(p position) Kind {
	kind := Older
	for _, s := range []*sighting{&e.own, &e.channel} {
		if !s.empty() && !s.at.after(p) {
			*s, kind = sighting{}, Updated
		}
	}
	return kind
}

// bury leaves a tombstone, which refuses everything heard so far.
func (e *entry) bury(until time.Time) {
	*e = entry{id: e.id, key: e.key, org: e.org, newest: e.newest, left: e.newest,
		lastSeen: e.lastSeen, until: until}
}

func (e *entry) die(struck bool) {
	e.phase, e.struck, e.suspect = dead, struck, false
}

func (e *entry) setRecord(r *msp.Record) {
	e.record, e.key, e.org = r, r.Identity().Key(), r.Identity().MSPID()
}

// fade drops what was heard on one topic when that one has been silent for so
// long while the other goes on: a member that stopped being visible, say.
func (e *entry) fade(at time.Time, silence time.Duration) bool {
	faded := false
	for _, s := range []*sighting{&e.own, &e.channel} {
		if !s.empty() && !at.Before(s.seen.Add(silence)) {
			*s, faded = sighting{}, true
		}
	}
	return faded
}

// silentAt is when an alive entry dies if nothing more is heard.
func (e *entry) silentAt(t Timing) time.Time {
	if e.suspect {
		return e.lastSeen.Add(t.suspicion())
	}
	return e.lastSeen.Add(t.AliveExpiration)
}

// due is when time alone changes the entry.
func (e *entry) due(t Timing) time.Time {
	switch e.phase {
	case gone:
		return e.until
	case dead:
		return e.lastSeen.Add(t.purge())
	}
	due := e.silentAt(t)
	for _, s := range []*sighting{&e.own, &e.channel} {
		if fades := s.seen.Add(t.fading()); !s.empty() && fades.Before(due) {
			due = fades
		}
	}
	return due
}

// addrs unites both sources, the organization's first: those are closer.
func (e *entry) addrs() []ma.Multiaddr {
	all := make([]ma.Multiaddr, 0, len(e.own.addrs)+len(e.channel.addrs))
	for _, addr := range slices.Concat(e.own.addrs, e.channel.addrs) {
		if !slices.ContainsFunc(all, addr.Equal) {
			all = append(all, addr)
		}
	}
	return all
}

func equalAddrs(a, b []ma.Multiaddr) bool { return slices.EqualFunc(a, b, ma.Multiaddr.Equal) }
