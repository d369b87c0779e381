// SPDX-License-Identifier: Apache-2.0

package topics

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/stream"
	"github.com/weft-p2p/weft/topics/pb"
)

const (
	// pushWaiting is how many messages of one topic wait for one peer. What is above pushes out one that waits, see queue.
	pushWaiting = 64
	// pushParallel is how many messages of one topic are on their way to one peer: each takes a round trip.
	pushParallel = 4
)

// outbox holds what is to be pushed on one topic. Every peer has a queue and senders of its own, so that a peer that is
// slow or hangs holds up nobody else.
type outbox struct {
	topic string
	wake  chan struct{} // 1-buffered: somebody has messages and could have another sender

	mu      sync.Mutex // guards all below
	waiting map[peer.ID]*queue
	senders map[peer.ID]int
	running bool
	calm    chan struct{} // closed, and made anew, when nothing waits or is on its way any more, and when run ends
}

func newOutbox(topic string) *outbox {
	return &outbox{topic: topic, wake: make(chan struct{}, 1), waiting: map[peer.ID]*queue{}, senders: map[peer.ID]int{}, calm: make(chan struct{})}
}

// add queues a message for a peer; it never waits.
func (o *outbox) add(to peer.ID, m message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting[to] == nil {
		o.waiting[to] = &queue{}
	}
	o.waiting[to].add(m)
	if o.senders[to] >= pushParallel {
		return
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// hire returns the peers that need another sender, each as often as it does; these count as there from now on.
func (o *outbox) hire() (ids []peer.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, queue := range o.waiting {
		for range min(len(queue.messages), pushParallel-o.senders[id]) {
			o.senders[id]++
			ids = append(ids, id)
		}
	}
	return ids
}

// next takes the oldest message for a peer. Without one the sender that asked has to end.
func (o *outbox) next(id peer.ID) ([]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if queue := o.waiting[id]; queue != nil && len(queue.messages) > 0 {
		return queue.take(0).data, true
	}
	delete(o.waiting, id)
	if o.senders[id]--; o.senders[id] == 0 {
		delete(o.senders, id)
	}
	if len(o.waiting) == 0 && len(o.senders) == 0 {
		o.settle()
	}
	return nil, false
}

// settle ends every flush. It needs the lock.
func (o *outbox) settle() {
	close(o.calm)
	o.calm = make(chan struct{})
}

// flush waits until everything is on its way, or run has ended. Its error is ctx's.
func (o *outbox) flush(ctx context.Context) error {
	o.mu.Lock()
	calm, nothing := o.calm, !o.running || len(o.waiting) == 0 && len(o.senders) == 0
	o.mu.Unlock()
	if nothing {
		return nil
	}
	select {
	case <-calm:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drop forgets what waits for a peer: it cannot be reached.
func (o *outbox) drop(id peer.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.waiting, id)
}

// runs says whether run runs.
func (o *outbox) runs(yes bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running = yes
	o.settle()
}

// run pushes until ctx ends, and waits for its senders.
func (o *outbox) run(ctx context.Context, h host.Host, allow func(peer.ID) bool, log *slog.Logger) {
	o.runs(true)
	defer o.runs(false)
	var senders sync.WaitGroup
	defer senders.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		}
		for _, id := range o.hire() {
			senders.Go(func() { o.send(ctx, h, id, allow, log) })
		}
	}
}

// send pushes what waits for one peer.
func (o *outbox) send(ctx context.Context, h host.Host, id peer.ID, allow func(peer.ID) bool, log *slog.Logger) {
	for {
		data, ok := o.next(id)
		if !ok {
			return
		}
		if err := push(ctx, h, id, allow, &pb.Push{Topic: o.topic, Data: data}); err != nil {
			log.Debug("push", "peer", id, "topic", o.topic, "err", err)
			o.drop(id)
		}
	}
}

// errNotAllowed ends a push to a peer that may not hear the topic any more, and one of a peer that may not speak on it.
var errNotAllowed = errors.New("topics: peer is not allowed on the topic")

// push sends one message to a peer that we are connected to. Permission is asked for when the stream is there: whoever takes
// it away later resets the streams that there are.
func push(ctx context.Context, h host.Host, to peer.ID, allow func(peer.ID) bool, m *pb.Push) error {
	s, err := stream.Open(network.WithNoDial(ctx, "push"), h, to, PushProtocol)
	if err != nil {
		return err
	}
	if !allow(to) {
		s.Reset(network.StreamGated)
		return errNotAllowed
	}
	if err := s.Write(m); err != nil {
		s.Reset(network.StreamNoError)
		return err
	}
	if err := s.CloseWrite(); err != nil {
		s.Reset(network.StreamNoError)
		return err
	}
	_ = s.Close() // the message is on its way, whether or not the other end has hung up before us
	return nil
}
