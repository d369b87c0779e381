// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// ElectorConfig is what an [Elector] needs. Input and Lead are required.
type ElectorConfig struct {
	Channel string // name of the channel, for logs and metrics
	Timing  Timing
	// Input returns what there is to decide upon. Run alone calls it, before each decision.
	Input func() Input
	// Lead does what a leader does, usually [Puller.Run], until ctx ends. One at a time runs. If it returns while we lead, whatever it returns,
	// somebody else is to lead.
	Lead func(ctx context.Context) error
	// Look looks at the ordering service while another one leads, usually [Puller.Look]. It never runs beside Lead, and ends when ctx does. Nil:
	// nobody looks.
	Look func(ctx context.Context) Finding
	// Changed is told when there is another leader ("": none), when we begin or cease to lead, and again when another leader does not seem to
	// know of us: it is time for a heartbeat. Run alone calls it, without a lock; Leader and Leads answer accordingly. When we cease, Lead may
	// still be coming to its end. Optional.
	Changed func(leader peer.ID, lead bool)
	Metrics *Metrics     // nil: none
	Log     *slog.Logger // nil: none
}

// Elector runs the [Election] of one channel: it asks for a decision whenever something has happened or is due, and leads while it is to
// lead. Its methods are safe for concurrent use; Run runs once.
type Elector struct {
	c        ElectorConfig
	election *Election     // of Run, as all below to wake
	lead     term[error]   // of Lead
	look     term[Finding] // of Look
	wake     chan struct{} // 1-buffered: something has changed

	mu     sync.Mutex // guards latest
	latest Decision
}

// NewElector returns an Elector, or what is wrong with the configuration. It starts nothing.
func NewElector(c ElectorConfig) (*Elector, error) {
	if c.Input == nil || c.Lead == nil {
		return nil, errors.New("leader: Input and Lead are required")
	}
	if c.Look == nil {
		c.Timing.LookAfter = -1
	}
	election, err := NewElection(c.Timing)
	if err != nil {
		return nil, err
	}
	if c.Changed == nil {
		c.Changed = func(peer.ID, bool) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("channel", c.Channel)
	return &Elector{c: c, election: election, wake: make(chan struct{}, 1)}, nil
}

// Wake says that something in the Input has changed. It never blocks; calls that come before Run has looked count as one.
func (e *Elector) Wake() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Decision returns the latest decision; the zero value before the first. After Run nobody leads.
func (e *Elector) Decision() Decision {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.latest
}

// Leader returns who leads as far as we know, "" if nobody does.
func (e *Elector) Leader() peer.ID { return e.Decision().Leader }

// Leads reports whether we lead.
func (e *Elector) Leads() bool { return e.Decision().Lead }

// Run takes part in the election until ctx ends, and returns nil. On return Lead has ended, and we do not lead.
func (e *Elector) Run(ctx context.Context) error {
	e.c.Metrics.led(e.c.Channel, false)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer func() {
		e.look.end()
		e.enact(ctx, Decision{Reason: Stopped})
	}()
	for ctx.Err() == nil {
		d := e.election.Step(time.Now(), e.c.Input())
		e.enact(ctx, d)
		rearm(timer, d.Wake)
		select {
		case <-ctx.Done():
		case <-e.wake:
		case <-timer.C:
		case err := <-e.lead.done:
			e.failed(ctx, err)
		case f := <-e.look.done:
			e.looked(f)
		}
	}
	return nil
}

// enact makes true what was decided.
func (e *Elector) enact(ctx context.Context, d Decision) {
	e.mu.Lock()
	before := e.latest
	e.latest = d
	e.mu.Unlock()
	switch {
	case d.Lead && !e.lead.runs():
		if e.look.runs() {
			e.looked(Nothing)
		}
		e.c.Log.Info("Elected as a leader, starting delivery service for channel " + e.c.Channel)
		e.c.Metrics.led(e.c.Channel, true)
		e.lead.begin(ctx, e.c.Lead)
	case before.Lead && !d.Lead:
		e.c.Log.Info("Renounced leadership, stopping delivery service for channel "+e.c.Channel, "reason", d.Reason)
	case before.Leader != d.Leader && d.Leader != "":
		e.c.Log.Info("following another leader", "leader", d.Leader)
	}
	if before.Lead != d.Lead || before.Leader != d.Leader || d.Tell {
		e.c.Changed(d.Leader, d.Lead)
	}
	if !d.Lead && e.lead.runs() {
		e.lead.end()
		e.c.Metrics.led(e.c.Channel, false)
	}
	if d.Look {
		e.look.begin(ctx, e.c.Look)
	}
}

// looked takes the end of a look.
func (e *Elector) looked(f Finding) {
	e.look.end()
	if f == Withheld {
		e.c.Log.Warn("the ordering service has blocks that the leader did not bring: it is passed over for a while", "leader", e.Leader())
	}
	e.election.Looked(time.Now(), f)
}

// failed takes the end of Lead that nobody has asked for.
func (e *Elector) failed(ctx context.Context, err error) {
	e.lead.end()
	e.c.Metrics.led(e.c.Channel, false)
	if ctx.Err() != nil {
		return
	}
	e.c.Log.Warn("the delivery service has ended, another peer should lead", "err", err)
	e.election.Yield(time.Now())
}

func rearm(timer *time.Timer, wake time.Time) {
	if wake.IsZero() {
		timer.Stop()
		return
	}
	timer.Reset(time.Until(wake))
}
