// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"
)

// neighbour is a peer and our streams to it.
type neighbour struct {
	id            peer.ID
	control, data chan struct{} // 1-buffered: there may be something to write
	stopped       chan struct{}
	stop          func() // closes stopped
	refused       bool

	mu   sync.Mutex // guards all below
	rtt  time.Duration
	open bool
}

func newNeighbour(id peer.ID) *neighbour {
	n := &neighbour{id: id, control: make(chan struct{}, 1), data: make(chan struct{}, 1), stopped: make(chan struct{})}
	n.stop = sync.OnceFunc(func() { close(n.stopped) })
	return n
}

func (n *neighbour) up() (time.Duration, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rtt, n.open
}

func (n *neighbour) set(rtt time.Duration, open bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rtt, n.open = rtt, open
}

// wake wakes the writer of control frames, that of pieces, or both. Each wakes a goroutine, which costs as much as a short frame.
func (n *neighbour) wake(control, pieces bool) {
	if control {
		token(n.control)
	}
	if pieces {
		token(n.data)
	}
}

// run opens both streams and writes until one fails or nobody wants them any more.
func (n *neighbour) run(ctx context.Context, c *Carrier) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	control, rtt, err := n.hello(ctx, c, controlStream)
	if err != nil {
		n.refused = true
		return err
	}
	defer func() { _ = control.Reset() }()
	data, again, err := n.hello(ctx, c, dataStream)
	if err != nil {
		n.refused = true
		return err
	}
	defer func() { _ = data.Reset() }()
	c.accepted(n.id)
	n.set(min(rtt, again), true)
	defer n.set(0, false)
	c.refresh()
	g, ctx := errgroup.WithContext(ctx)
	flow, closed := c.flow(n.id)
	defer closed()
	w := newWriter(c, n.id, counted{control, flow}, counted{data, flow})
	g.Go(func() error { return whenever(ctx, n.control, w.urgent) })
	g.Go(func() error { return whenever(ctx, n.data, w.pieces) })
	g.Go(func() error { return watch(control) })
	n.measure(ctx, c)
	_ = control.ResetWithError(network.StreamShutdown)
	_ = data.ResetWithError(network.StreamShutdown)
	return g.Wait()
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
