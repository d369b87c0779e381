// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/msp"
)

// ViewConfig says whose members a view holds.
type ViewConfig struct {
	// Scope is the topic name of the channel; empty for the view of an
	// organization, whose members need not be in any channel.
	Scope string
	// Self is never a member of its own view.
	Self peer.ID
	// Timing: the zero value means DefaultTiming.
	Timing Timing
	// Limits: zero values mean DefaultLimits.
	Limits Limits
}

// View is who is in one scope, as far as we have heard. It is pure: it reads no
// clock, starts nothing and may be used by one goroutine at a time (Tracker
// adds a lock and a timer). The time given to it may jump back; it then goes on
// from where it was.
type View struct {
	scope   string
	self    peer.ID
	timing  Timing
	limits  Limits
	clock   clock
	entries map[peer.ID]*entry
	kept    map[peer.ID]struct{}
}

// NewView returns an empty view. The error names every setting that is wrong.
func NewView(c ViewConfig) (*View, error) {
	if c.Timing == (Timing{}) {
		c.Timing = DefaultTiming()
	}
	c.Limits = c.Limits.orDefault()
	if err := errors.Join(c.Timing.Validate(), c.Limits.Validate()); err != nil {
		return nil, err
	}
	return &View{
		scope: c.Scope, self: c.Self, timing: c.Timing, limits: c.Limits,
		entries: make(map[peer.ID]*entry), kept: make(map[peer.ID]struct{}),
	}, nil
}

// Observe takes a heartbeat that was heard on the topic from. The caller has
// verified its seal and that the sender may be in this scope.
//
// Heartbeats of one member are ordered by (incarnation, sequence), over both
// topics; a newer one proves life, an equal or older one never does. In the
// view of a channel, a heartbeat that does not list the channel is a goodbye.
func (v *View) Observe(now time.Time, from Source, h *Heartbeat) Change {
	at, e := v.clock.at(now), v.entries[h.Record.PeerID()]
	state, here := v.concerns(h)
	switch p := h.position(); {
	case h.Record.PeerID() == v.self:
		return Change{Kind: Own}
	case e == nil:
		return v.admit(at, now, from, h)
	case p == e.left:
		return v.change(Equal, e)
	case !p.after(e.left):
		return v.change(Older, e)
	case !here:
		was := v.member(e)
		return v.gone(e.farewell(p, at.Add(v.tombstone(now, h.Record))), was, e)
	case !p.after(e.newest):
		return v.change(e.late(at, from, h), e)
	}
	displaced, ok := v.room(e, h, here)
	if !ok {
		return Change{Kind: Full}
	}
	c := v.change(e.hear(at, from, h, state), e)
	c.Displaced = displaced
	return c
}

// admit takes the first heartbeat of somebody unknown. A goodbye is kept as
// well, so that what it has overtaken does not count.
func (v *View) admit(at, now time.Time, from Source, h *Heartbeat) Change {
	state, here := v.concerns(h)
	displaced, ok := v.room(nil, h, here)
	if !ok {
		return Change{Kind: Full}
	}
	e := &entry{id: h.Record.PeerID(), lastSeen: at}
	v.entries[e.id] = e
	if !here {
		e.setRecord(h.Record)
		return Change{Kind: e.farewell(h.position(), at.Add(v.tombstone(now, h.Record)))}
	}
	c := v.change(e.hear(at, from, h, state), e)
	c.Displaced = displaced
	return c
}

// concerns reports whether the sender is in this scope, and what it says there.
func (v *View) concerns(h *Heartbeat) (ChannelState, bool) {
	if h.Leaving {
		return ChannelState{}, false
	}
	if v.scope == "" {
		return ChannelState{}, true
	}
	return h.For(v.scope)
}

// Unreachable reports that the connection to a member was lost and could not be
// dialed again. The member is dead at once, so that nothing waits for it. When
// a newer heartbeat proves that others do reach it, the report was wrong: the
// next one for this incarnation only counts after a silence of two heartbeats.
func (v *View) Unreachable(now time.Time, id peer.ID) Change {
	at, e := v.clock.at(now), v.entries[id]
	if e == nil || e.phase != alive {
		return Change{}
	}
	if e.refuted {
		e.suspect = true
		if at.Before(e.silentAt(v.timing)) {
			return Change{}
		}
	}
	e.die(true)
	return v.change(Died, e)
}

// Forget removes a member whose identity is expired, revoked or no longer in
// the configuration. Heartbeats up to the last one heard do not bring it back.
func (v *View) Forget(now time.Time, id peer.ID) Change {
	at, e := v.clock.at(now), v.entries[id]
	if e == nil || e.phase == gone {
		return Change{}
	}
	was := v.member(e)
	e.bury(at.Add(v.tombstone(now, e.record)))
	return v.gone(Purged, was, e)
}

// Keep marks a bootstrap or anchor peer, known already or not: it is never
// forgotten nor displaced, only dead. Keep(id, false) takes the mark back.
func (v *View) Keep(id peer.ID, kept bool) {
	if kept {
		v.kept[id] = struct{}{}
		return
	}
	delete(v.kept, id)
}

// Expire does what time alone does, in the order of peer IDs: silent members
// die, the long dead and those whose record has ended are forgotten, old
// tombstones go.
func (v *View) Expire(now time.Time) []Change {
	at := v.clock.at(now)
	var changes []Change
	for id, e := range v.entries {
		if e.phase == gone && !at.Before(e.until) {
			delete(v.entries, id)
			continue
		}
		changes = append(changes, v.expire(at, now, e)...)
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return cmp.Compare(a.Member.ID, b.Member.ID) })
	return changes
}

func (v *View) expire(at, now time.Time, e *entry) (changes []Change) {
	if e.phase != gone && !now.Before(e.record.End()) {
		was := v.member(e)
		e.bury(at.Add(v.tombstone(now, e.record)))
		return []Change{v.gone(Purged, was, e)}
	}
	if e.phase == alive && !at.Before(e.silentAt(v.timing)) {
		e.die(false)
		changes = append(changes, v.change(Died, e))
	}
	if e.phase == alive && e.fade(at, v.timing.fading()) {
		changes = append(changes, v.change(Updated, e))
	}
	if _, kept := v.kept[e.id]; e.phase == dead && !kept && !at.Before(e.due(v.timing)) {
		was := v.member(e)
		e.bury(at.Add(v.tombstone(now, e.record)))
		changes = append(changes, v.gone(Purged, was, e))
	}
	return changes
}

// Next returns the instant at which Expire has something to do, by the caller's
// clock; false when time alone changes nothing.
func (v *View) Next(now time.Time) (time.Time, bool) {
	v.clock.at(now)
	var next time.Time
	sooner := func(due time.Time) {
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	for id, e := range v.entries {
		if _, kept := v.kept[id]; !kept || e.phase != dead {
			sooner(v.clock.outside(e.due(v.timing)))
		}
		if e.phase != gone {
			sooner(e.record.End())
		}
	}
	return next, !next.IsZero()
}

// tombstone is how long somebody who is gone is remembered: Fabric's period of
// forgetting once more, and until its record has expired, because from then on
// nobody accepts a replay of its heartbeats anyway.
func (v *View) tombstone(now time.Time, r *msp.Record) time.Duration {
	life := min(r.Expiry().Sub(now), msp.RecordLifetime+msp.ClockSlack) + msp.ClockSlack
	return max(life, v.timing.purge())
}

func (v *View) change(kind Kind, e *entry) Change { return Change{Kind: kind, Member: v.member(e)} }

// gone is a change after which the member may be no more; was is its last state.
func (v *View) gone(kind Kind, was Member, e *entry) Change {
	if e.phase != gone {
		return v.change(kind, e)
	}
	was.Alive = false
	return Change{Kind: kind, Member: was}
}
