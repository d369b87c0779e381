// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"github.com/weft-p2p/weft/internal/stream"
)

// CarrierConfig says what a carrier needs.
type CarrierConfig struct {
	Host host.Host
	// Speaks says whether a peer is authenticated at all.
	Speaks func(peer.ID) bool
	// Accounts are those of the host's other servers; nil: every peer counts for itself.
	Accounts *stream.Accounts
	// Sampled, if set, hears every five seconds what went from and to each peer in that time, in bytes per second.
	Sampled func(in, out float64)
	Log     *slog.Logger
}

// Carrier carries the frames of all channels of a host. To every peer that a channel relays to it keeps streams open,
// one for control and one for data, or three to ten over QUIC, and shares them fairly among the channels; the peer does the same in its direction.
//
//	channels --Next--> writer of a peer's control stream --> peer
//	         --Next--> writer of a peer's data streams ----> peer
//	channels <------------- readers of peers' streams <----- peer
type Carrier struct {
	CarrierConfig
	changed chan struct{} // 1-buffered: look whom to be connected to
	rates   *stream.Rates // of work
	spare   sync.Pool     // of *outgoing, for those who write
	read    sync.Pool     // of *frameBuffer, for those who read

	mu       sync.Mutex      // guards all below
	refusals map[peer.ID]int // since there were streams
	channels []*Channel      // replaced, not changed
	peers    map[peer.ID]*neighbour
	flows    map[peer.ID]*flow
}

// NewCarrier makes a carrier; Run runs it.
func NewCarrier(c CarrierConfig) *Carrier {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Carrier{
		CarrierConfig: c, changed: make(chan struct{}, 1), rates: stream.NewRates(work, workBurst, orgWork, orgWorkBurst),
		peers: map[peer.ID]*neighbour{}, refusals: map[peer.ID]int{}, flows: map[peer.ID]*flow{},
	}
}

// lookAgain is how often the carrier looks for peers that it has no streams to, besides when it is told to.
const lookAgain = time.Second

// Run answers and keeps streams until ctx ends; see stream.Server. When it returns, all that it started has ended.
func (c *Carrier) Run(ctx context.Context) error {
	server := stream.Server{Host: c.Host, Protocol: Protocol, Authorize: c.Speaks, Accounts: c.Accounts, Handle: c.serve, Log: c.Log}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return server.Run(ctx) })
	g.Go(func() error {
		var writers sync.WaitGroup
		c.keep(ctx, &writers)
		writers.Wait()
		return nil
	})
	return g.Wait()
}

// keep opens streams to those who are to have some, and sees what goes over them.
func (c *Carrier) keep(ctx context.Context, writers *sync.WaitGroup) {
	sampled := time.Now()
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		for _, n := range c.meet() {
			ctx, stop := context.WithCancel(ctx)
			n.stop = stop
			writers.Go(func() {
				defer stop()
				c.attend(ctx, n)
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
		case now := <-ticker.C:
			sampled = c.sample(sampled, now)
		}
	}
}

// meet makes neighbours of the peers that a channel relays to and that we are connected to, and drops those that are not any
// more.
func (c *Carrier) meet() (fresh []*neighbour) {
	wanted := map[peer.ID]bool{}
	for _, ch := range c.list() {
		for _, id := range ch.Readers() {
			wanted[id] = true
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range wanted {
		if c.peers[id] == nil && c.Host.Network().Connectedness(id) == network.Connected {
			n := &neighbour{id: id}
			c.peers[id] = n
			fresh = append(fresh, n)
		}
	}
	for id, n := range c.peers {
		if !wanted[id] {
			n.stop()
			delete(c.refusals, id)
		}
	}
	return fresh
}

// attend runs the streams to one peer until one of them fails.
func (c *Carrier) attend(ctx context.Context, n *neighbour) {
	if err := n.run(ctx, c); err != nil && ctx.Err() == nil {
		c.Log.Debug("relay streams ended", "peer", n.id, "err", err)
	}
	if n.refused { // it does not speak the protocol, or does not know us yet: not again at once
		timer := time.NewTimer(c.rest(n.id))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	if c.peers[n.id] == n {
		delete(c.peers, n.id)
	}
	c.mu.Unlock()
	c.refresh()
}

// Pauses after a peer has refused streams: it may just have authenticated us a moment later than we did it.
const restMin, restMax = 100 * time.Millisecond, 10 * time.Second

// rest is how long to leave a peer alone that has refused.
func (c *Carrier) rest(id peer.ID) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusals[id]++
	return min(restMax, restMin<<min(c.refusals[id]-1, 10))
}

// accepted forgets refusals.
func (c *Carrier) accepted(id peer.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.refusals, id)
}

// refresh tells the channels who is connected.
func (c *Carrier) refresh() {
	for _, ch := range c.list() {
		ch.Refresh()
	}
}

func (c *Carrier) list() []*Channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.channels
}

// add makes a channel carried.
func (c *Carrier) add(ch *Channel) {
	c.mu.Lock()
	c.channels = append(slices.Clone(c.channels), ch)
	c.mu.Unlock()
	c.Poke()
}

func (c *Carrier) remove(ch *Channel) {
	c.mu.Lock()
	c.channels = slices.DeleteFunc(slices.Clone(c.channels), func(other *Channel) bool { return other == ch })
	c.mu.Unlock()
	c.Poke()
}

// Poke makes the carrier look whom to have streams to: somebody came, went, or may read more or less than before.
func (c *Carrier) Poke() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// up is the round trip to a peer that there are streams to.
func (c *Carrier) up(id peer.ID) (rtt time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.peers[id]
	if n == nil {
		return 0, false
	}
	return n.up()
}

// wake lets the writers of some peers look for control frames, pieces or both.
func (c *Carrier) wake(ids []peer.ID, control, pieces bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if n := c.peers[id]; n != nil {
			n.wake(control, pieces)
		}
	}
}

// widen has more streams opened to all peers, where these help against loss and are not there already.
func (c *Carrier) widen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.peers {
		n.losses.wake()
	}
}

// channel is the channel with a scope that a peer may read, nil if there is none.
func (c *Carrier) channel(scope string, from peer.ID) *Channel {
	for _, ch := range c.list() {
		if ch.Scope == scope && ch.May(from) {
			return ch
		}
	}
	return nil
}
