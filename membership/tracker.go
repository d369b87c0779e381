// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
)

// settle is the least time between two batches of changes, so that neither a
// busy network nor a hostile member can make consumers run for every message.
const settle = 100 * time.Millisecond

// TrackerConfig is what a Tracker needs.
type TrackerConfig struct {
	View ViewConfig
	// Channel names the scope in logs and metrics: a channel ID, or an MSP ID.
	Channel string
	// OnChange is told about net changes, sorted by peer ID, never None nor one
	// of the kinds after Purged. Only Run calls it, without any lock, at most
	// ten times a second; changes that come meanwhile wait. Optional.
	OnChange func([]Change)
	Metrics  *Metrics     // optional
	Log      *slog.Logger // default: none
}

// Tracker keeps one View up to date. All methods may be called by any number of
// goroutines and never block for long; the queries answer with copies.
type Tracker struct {
	c    TrackerConfig
	wake chan struct{} // 1-buffered: there is something for Run

	mu      sync.Mutex // guards view, pending
	view    *View
	pending batch
}

var _ routing.PeerRouting = (*Tracker)(nil)

// NewTracker returns a tracker with an empty view. Members expire while Run runs.
func NewTracker(c TrackerConfig) (*Tracker, error) {
	view, err := NewView(c.View)
	if err != nil {
		return nil, err
	}
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler)).With("channel", c.Channel)
	return &Tracker{c: c, view: view, wake: make(chan struct{}, 1)}, nil
}

// Observe takes a verified heartbeat: see View.Observe.
func (t *Tracker) Observe(from Source, h *Heartbeat) Change {
	return t.apply(func(v *View) Change { return v.Observe(time.Now(), from, h) })
}

// Unreachable reports a lost connection: see View.Unreachable.
func (t *Tracker) Unreachable(id peer.ID) {
	t.apply(func(v *View) Change { return v.Unreachable(time.Now(), id) })
	t.signal() // a suspect has a new deadline
}

// Forget removes a member that may not be here any more: see View.Forget.
func (t *Tracker) Forget(id peer.ID) {
	t.apply(func(v *View) Change { return v.Forget(time.Now(), id) })
}

// Keep marks a bootstrap or anchor peer: see View.Keep.
func (t *Tracker) Keep(id peer.ID, kept bool) {
	t.apply(func(v *View) Change { v.Keep(id, kept); return Change{} })
	t.signal()
}

func (t *Tracker) apply(event func(*View) Change) Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := event(t.view)
	t.pending.add(c)
	if !t.pending.empty() {
		t.signal()
	}
	return c
}

func (t *Tracker) signal() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Run expires members in time and passes changes on, until ctx ends; it then
// returns nil.
func (t *Tracker) Run(ctx context.Context) error {
	defer t.c.Metrics.forget(t.c.Channel)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	r := report{log: t.c.Log}
	var last time.Time
	look := func() {
		last = time.Now()
		t.deliver(&r)
		t.rearm(timer, &r)
	}
	look()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.wake:
			if rest := settle - time.Since(last); rest > 0 {
				timer.Reset(rest)
				continue
			}
		case <-timer.C:
		}
		look()
	}
}

// deliver expires members and passes on what has changed since the last time.
func (t *Tracker) deliver(r *report) {
	now := time.Now()
	t.mu.Lock()
	for _, c := range t.view.Expire(now) {
		t.pending.add(c)
	}
	changes := t.pending.take()
	living, known := t.view.Count()
	twin := t.twin(changes)
	t.mu.Unlock()

	t.c.Metrics.known(t.c.Channel, living)
	r.twin(now, twin)
	r.add(now, changes, living, known)
	if t.c.OnChange != nil && len(changes) > 0 {
		t.c.OnChange(changes)
	}
}

// twin returns a newcomer whose identity lives under another host key as well.
func (t *Tracker) twin(changes []Change) (found twins) {
	for _, c := range changes {
		if !c.Kind.Arrived() {
			continue
		}
		if others := t.view.Twins(c.Member.ID); len(others) > 0 {
			return twins{c.Member, others[0]}
		}
	}
	return twins{}
}

// rearm sets the timer to the next instant at which time alone changes something.
func (t *Tracker) rearm(timer *time.Timer, r *report) {
	now := time.Now()
	t.mu.Lock()
	next, some := t.view.Next(now)
	t.mu.Unlock()
	if due, waiting := r.next(); waiting && (!some || due.Before(next)) {
		next, some = due, true
	}
	if !some {
		timer.Stop()
		return
	}
	timer.Reset(next.Sub(now))
}

// FindPeer answers libp2p's peer routing from the view, with dead members as
// well: they may be back. It fails with routing.ErrNotFound.
func (t *Tracker) FindPeer(_ context.Context, id peer.ID) (peer.AddrInfo, error) {
	m, ok := t.Find(id)
	if !ok || len(m.Addrs) == 0 {
		return peer.AddrInfo{}, routing.ErrNotFound
	}
	return m.AddrInfo(), nil
}
