// SPDX-License-Identifier: Apache-2.0

package topics

import (
	"context"
	"log/slog"
	"sync"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/weft-p2p/weft/internal/stream"
	"github.com/weft-p2p/weft/topics/pb"
)

// pushWaiting is how many messages of one topic wait for one peer. What is above pushes out the oldest: a push is a hint,
// and the latest heartbeat or announcement says more than the one before.
const pushWaiting = 64

// outbox holds what is to be pushed on one topic. Every peer has a queue and a sender of its own, so that a peer that is
// slow or hangs holds up nobody else. It is bounded by pushWaiting for each of the peers.
type outbox struct {
	topic string
	wake  chan struct{} // 1-buffered: somebody has messages and no sender

	mu      sync.Mutex // guards all below
	waiting map[peer.ID][][]byte
	sending map[peer.ID]bool // has a sender
}

func newOutbox(topic string) *outbox {
	return &outbox{topic: topic, wake: make(chan struct{}, 1), waiting: map[peer.ID][][]byte{}, sending: map[peer.ID]bool{}}
}

// add queues data for a peer; it never waits.
func (o *outbox) add(to peer.ID, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	queue := o.waiting[to]
	if len(queue) >= pushWaiting {
		queue = queue[1:]
	}
	o.waiting[to] = append(queue, data)
	if o.sending[to] {
		return
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// idle returns the peers that have messages and no sender; from now on they count as having one.
func (o *outbox) idle() []peer.ID {
	o.mu.Lock()
	defer o.mu.Unlock()
	var ids []peer.ID
	for id := range o.waiting {
		if !o.sending[id] {
			o.sending[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// next takes the oldest message for a peer. Without one the peer's sender ends.
func (o *outbox) next(id peer.ID) ([]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	queue := o.waiting[id]
	if len(queue) == 0 {
		delete(o.waiting, id)
		delete(o.sending, id)
		return nil, false
	}
	o.waiting[id] = queue[1:]
	return queue[0], true
}

// drop forgets what waits for a peer: it cannot be reached.
func (o *outbox) drop(id peer.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.waiting, id)
}

// run pushes until ctx ends, and waits for its senders.
func (o *outbox) run(ctx context.Context, h host.Host, log *slog.Logger) {
	var senders sync.WaitGroup
	defer senders.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		}
		for _, id := range o.idle() {
			senders.Go(func() { o.send(ctx, h, id, log) })
		}
	}
}

// send pushes what waits for one peer, in order.
func (o *outbox) send(ctx context.Context, h host.Host, id peer.ID, log *slog.Logger) {
	for {
		data, ok := o.next(id)
		if !ok {
			return
		}
		if err := push(ctx, h, id, &pb.Push{Topic: o.topic, Data: data}); err != nil {
			log.Debug("push", "peer", id, "topic", o.topic, "err", err)
			o.drop(id)
		}
	}
}

// push sends one message to a peer that we are connected to.
func push(ctx context.Context, h host.Host, to peer.ID, m *pb.Push) error {
	s, err := stream.Open(network.WithNoDial(ctx, "push"), h, to, PushProtocol)
	if err != nil {
		return err
	}
	if err := s.Write(m); err != nil {
		s.Reset(network.StreamNoError)
		return err
	}
	return s.Close()
}
