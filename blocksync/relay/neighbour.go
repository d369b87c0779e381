// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"
)

// neighbour is a peer and our streams to it. While nothing is written it has one goroutine, which sees when they end.
type neighbour struct {
	id                    peer.ID
	control, data, echoes errand // writing one class of frames or the other, and measuring the round trip
	losses                errand // opening more streams where packets are lost
	stop                  func() // ends run
	refused               bool

	mu   sync.Mutex // guards all below
	rtt  roundTrip
	open bool
}

func (n *neighbour) up() (rtt time.Duration, open bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rtt.is, n.open
}

func (n *neighbour) set(rtt time.Duration, open bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rtt, n.open = roundTrip{is: rtt}, open
}

// measured takes another measurement; it reports whether what is believed is quite another now.
func (n *neighbour) measured(rtt time.Duration) (changed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.rtt.is
	n.rtt.add(rtt)
	return 2*n.rtt.is < before || 4*n.rtt.is > 5*before
}

// wake wakes the writer of control frames, that of pieces, or both. Each wakes a goroutine, which costs as much as a short frame.
func (n *neighbour) wake(control, pieces bool) {
	if control {
		n.control.wake()
	}
	if pieces {
		n.data.wake()
	}
}

// run opens the streams and writes until one fails or ctx ends.
func (n *neighbour) run(ctx context.Context, c *Carrier) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	streams, rtt, err := n.openAll(ctx, c)
	shut := func() {
		for _, s := range streams {
			_ = s.ResetWithError(network.StreamShutdown)
		}
	}
	defer shut()
	if err != nil {
		n.refused = true
		return err
	}
	c.accepted(n.id)
	n.set(rtt, true)
	defer n.set(0, false)
	c.refresh()
	flow, closed := c.flow(n.id)
	defer closed()
	stop := context.AfterFunc(ctx, shut)
	defer stop()
	w := newWriter(c, n.id, flow, streams)
	end := n.write(w, fail)
	defer end()
	defer n.measure(ctx, c)()
	defer n.widen(ctx, c, w)()
	fail(watch(streams[0]))
	return context.Cause(ctx)
}

// write has the writer write whatever there is, and again each time that more says so, until end is called. The streams have to be
// shut before.
func (n *neighbour) write(w *writer, fail func(error)) (end func()) {
	n.control.begin(w.urgent, fail)
	n.data.begin(w.pieces, fail)
	n.wake(true, true)
	return func() {
		n.control.end()
		n.data.end()
	}
}

// openAll opens the stream for control and, in one more round trip, those for data; rtt is the shortest. On an error the streams
// are those that were opened.
func (n *neighbour) openAll(ctx context.Context, c *Carrier) (streams []network.Stream, rtt time.Duration, err error) {
	control, rtt, err := n.hello(ctx, c, controlStream)
	if err != nil {
		return nil, 0, err
	}
	data := make([]network.Stream, dataStreams(control.Conn().ConnState()))
	took := make([]time.Duration, len(data))
	g, ctx := errgroup.WithContext(ctx)
	for i := range data {
		g.Go(func() (err error) { data[i], took[i], err = n.hello(ctx, c, dataStream); return err })
	}
	err = g.Wait()
	streams = append(streams, control)
	for _, s := range data {
		if s != nil {
			streams = append(streams, s)
		}
	}
	return streams, min(rtt, slices.Min(took)), err
}

// dataStreams is how many streams pieces take turns on. QUIC's streams do not wait for each other, so that a packet that is lost
// holds back a third of what follows it; TCP delivers everything in order, however many streams are muxed over it.
func dataStreams(c network.ConnectionState) int {
	if c.StreamMultiplexer == "" { // the transport has its own
		return independentStreams
	}
	return 1
}

// watch ends when the other end does.
func watch(s network.Stream) error {
	var more [1]byte // of which there is none
	if _, err := io.ReadFull(s, more[:]); err != nil {
		return err
	}
	return fmt.Errorf("%w: the other end writes on a stream that is ours", ErrFrame)
}

// hello opens a stream and waits until the other end has taken it: one round trip.
func (n *neighbour) hello(ctx context.Context, c *Carrier, kind class) (network.Stream, time.Duration, error) {
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "relay"), helloTime)
	defer cancel()
	s, err := c.Host.NewStream(ctx, n.id, Protocol.ID)
	if err != nil {
		return nil, 0, fmt.Errorf("open %s: %w", Protocol.ID, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	if err := s.Scope().SetService(Protocol.Service); err != nil {
		_ = s.Reset()
		return nil, 0, err
	}
	start := time.Now()
	if _, err := s.Write([]byte{byte(kind)}); err != nil {
		_ = s.Reset()
		return nil, 0, err
	}
	var answer [1]byte
	if _, err := io.ReadFull(s, answer[:]); err != nil {
		_ = s.Reset()
		return nil, 0, fmt.Errorf("greet: %w", err)
	}
	return s, time.Since(start), nil
}
