// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/leaves"
	"github.com/weft-p2p/weft/internal/stream"
)

// Verdict is what became of an announcement that came over a relay stream.
type Verdict int

// The verdicts.
const (
	Refused  Verdict = iota // of no use
	Rejected                // no honest peer passes it on: a fault of who did
	Verified                // the Announcement can be relayed
	Later                   // it cannot be judged yet; a relay that says so is not at fault
)

// ChannelConfig says what a channel's relay needs.
type ChannelConfig struct {
	Config
	Scope   string // names the channel on streams
	Carrier *Carrier
	// May says whether a peer may read the channel.
	May func(peer.ID) bool
	// Readers are the peers that may read the channel and that we are connected to.
	Readers func() []peer.ID
	// View are the members; Connected and RTT are filled in.
	View func() []Member
	// Judge gives the verdict on a sealed announcement. It may take its time.
	Judge func(from peer.ID, sealed []byte) (Announcement, Verdict)
	// Complete takes a body whose leaves are all here. It reports false if it does not fit the header.
	Complete func(Complete) bool
	// Publish spreads a sealed announcement of ours on the topic, for those who are not reached otherwise.
	Publish func(ctx context.Context, sealed []byte)
	// Received, if set, hears of the bytes of pieces that came, of use or not.
	Received func(bytes int)
	// Dropped, if set, hears of frames that were dropped.
	Dropped func(why Drop, frames int)
	// Wanted, if set, hears of leaves that are asked for, each once.
	Wanted func(why Late, leaves int)
	// Protecting, if set, hears when our blocks get parity from now on, and when they do not.
	Protecting func(on bool)
	// GiveUp hears of a block that does not come any further.
	GiveUp func(Lost)
}

// Channel spreads the blocks of one channel: a Machine, its clock and its streams. Its methods are safe for concurrent use.
type Channel struct {
	ChannelConfig
	again   chan struct{} // 1-buffered: there may be something to do sooner
	refresh chan struct{} // 1-buffered: the view has changed

	mu      sync.Mutex // guards all below
	memory  *account
	machine *Machine
	done    []Complete
	lost    []Lost
	rebuild []Rebuild
	ours    [][]byte  // announcements
	timer   time.Time // when the machine is looked at next; zero if nothing calls for it
}

// NewChannel makes a channel's relay; Run runs it.
func NewChannel(c ChannelConfig) *Channel {
	memory := new(account)
	c.Memory = memory
	return &Channel{ChannelConfig: c, memory: memory, machine: New(c.Config), again: make(chan struct{}, 1), refresh: make(chan struct{}, 1)}
}

// Run relays until ctx ends. It returns an error if the host's resource manager does not know the relay.
func (c *Channel) Run(ctx context.Context) error {
	span, err := openAccount(c.Carrier.Host)
	if err != nil {
		return err
	}
	defer span.Done()
	c.do(func(*Machine, time.Time) { c.memory.span = span })
	c.Carrier.add(c)
	defer c.Carrier.remove(c)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	c.Refresh()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.refresh:
			c.look()
		case <-c.again:
		case <-timer.C:
			c.do(func(m *Machine, now time.Time) { m.Tick(now) })
		}
		c.hand(ctx)
		if due := c.due(); !due.IsZero() {
			// Timers that are due at once crash Go's race detector in bubbles of synctest, if several are set at one time.
			timer.Reset(max(time.Until(due), time.Microsecond))
		}
	}
}

// look takes the view as it is now.
func (c *Channel) look() {
	view := c.View()
	for i := range view {
		rtt, up := c.Carrier.up(view[i].ID)
		view[i].RTT, view[i].Connected = rtt, up && c.May(view[i].ID)
	}
	c.do(func(m *Machine, now time.Time) { m.Members(now, view) })
}

// Refresh says that the view has changed.
func (c *Channel) Refresh() { token(c.refresh) }

// Committed says that all blocks below height are committed.
func (c *Channel) Committed(height uint64) {
	c.do(func(m *Machine, now time.Time) { m.Committed(now, height) })
}

// Announced says that a verified announcement came. It reports whether the block is on its way, or whole now: its pieces may
// have been here before.
func (c *Channel) Announced(a Announcement) (coming bool) {
	c.do(func(m *Machine, now time.Time) {
		coming = m.Announced(now, a) && (m.Coming(a.Number) || len(m.effects.Complete) > 0)
	})
	return coming
}

// Coming says whether a block is on its way, so that nobody need be asked for it.
func (c *Channel) Coming(number uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.machine.Coming(number)
}

// Parity is how many shards of parity a block of ours is to be announced with, whose body has so many bytes; 0: none.
func (c *Channel) Parity(size int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.machine.Parity(size)
}

// Offer spreads a block of our own source, at once or when it is our turn.
func (c *Channel) Offer(a Announcement, body []byte, tree *leaves.Tree) {
	c.do(func(m *Machine, now time.Time) { m.Offer(now, a, body, tree) })
}

// Reaches says whether there are streams to any member.
func (c *Channel) Reaches() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.machine.Reaches()
}

// Stats is what the channel's machine has done so far.
func (c *Channel) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.machine.Stats()
}

func (c *Channel) receive(from peer.ID, f *Frame) {
	if f.Kind == Announce {
		c.announcement(from, f)
		return
	}
	if f.Kind == Piece && c.Received != nil {
		c.Received(len(f.Data))
	}
	c.do(func(m *Machine, now time.Time) { m.Receive(now, from, f) })
}

func (c *Channel) announcement(from peer.ID, f *Frame) {
	heard := time.Now()
	f = f.own() // it is passed on
	a, verdict := c.Judge(from, f.Data)
	switch verdict {
	case Verified:
		a.Heard, a.Sealed, a.Crown, a.Targets, a.Mode = heard, f.Data, f.Proof, f.Targets, f.Mode
		if !c.Announced(a) {
			c.GiveUp(Lost{Number: a.Number, Announcers: []peer.ID{a.From}})
		}
	case Rejected:
		c.Carrier.Accounts.Fault(from, stream.Violation)
	case Later:
		c.do(func(m *Machine, now time.Time) { m.Unjudged(now, from, f.Ref) })
	}
}

func (c *Channel) next(to peer.ID, data bool) *Frame {
	c.mu.Lock()
	f, ok := c.machine.Next(time.Now(), to, data)
	c.mu.Unlock()
	if ok && !c.May(to) { // it may have lost the permission a moment ago
		if c.Dropped != nil {
			c.Dropped(DropGone, 1)
		}
		return nil
	}
	return f
}

// do lets an event happen and does what comes of it: writers are woken here, the rest is for Run.
func (c *Channel) do(event func(*Machine, time.Time)) {
	c.mu.Lock()
	now := time.Now()
	event(c.machine, now)
	e := c.machine.Take()
	c.done = append(c.done, e.Complete...)
	c.lost = append(c.lost, e.GiveUp...)
	c.ours = append(c.ours, e.Announce...)
	c.rebuild = append(c.rebuild, e.Rebuild...)
	protecting := c.machine.Protecting()
	again := len(c.done)+len(c.lost)+len(c.ours)+len(c.rebuild) > 0 || c.machine.hurries(c.timer)
	c.mu.Unlock()
	for _, id := range e.Forged {
		c.Carrier.Accounts.Fault(id, stream.Violation)
	}
	if c.Dropped != nil {
		for why, frames := range e.Dropped {
			c.Dropped(why, frames)
		}
	}
	if c.Wanted != nil {
		for why, leaves := range e.Wanted {
			c.Wanted(why, leaves)
		}
	}
	if e.Switched && c.Protecting != nil {
		c.Protecting(protecting)
	}
	if e.Lossy {
		c.Carrier.widen()
	}
	if len(e.Wake) > 0 {
		c.Carrier.wake(e.Wake, e.Control, e.Pieces)
	}
	if again {
		token(c.again)
	}
}

// hand hands over what is complete, and what is not to be.
func (c *Channel) hand(ctx context.Context) {
	c.mu.Lock()
	done, lost, ours, rebuild := c.done, c.lost, c.ours, c.rebuild
	c.done, c.lost, c.ours, c.rebuild = nil, nil, nil, nil
	all := c.machine.ReachesAll()
	c.mu.Unlock()
	for _, sealed := range ours {
		if !all { // otherwise there is nobody left for the topic
			c.Publish(ctx, sealed)
		}
	}
	for _, r := range rebuild {
		rebuilt := r.Run()
		c.do(func(m *Machine, now time.Time) { m.Rebuilt(now, rebuilt) }) // what comes of it is for the next time
	}
	for _, b := range done {
		if !c.Complete(b) {
			c.do(func(m *Machine, now time.Time) { m.Refute(now, b.Announcement) })
		}
	}
	for _, b := range lost {
		c.GiveUp(b)
	}
}

func (c *Channel) due() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if due := c.machine.Due(); c.machine.hurries(c.timer) || !c.timer.After(time.Now()) {
		c.timer = due
	}
	return c.timer
}

func token(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
