// SPDX-License-Identifier: Apache-2.0

package topics

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/weft-p2p/weft/internal/stream"
	"github.com/weft-p2p/weft/topics/pb"
	"golang.org/x/sync/errgroup"
)

// PushProtocol carries messages of topics straight to a peer: one message a stream, no answer.
var PushProtocol = stream.Protocol{
	ID: "/weft/push/1.0.0", Service: "weft.push",
	Memory: 2 << 20, MaxMessage: 1 << 20, Deadline: 10 * time.Second,
	// A member pushes its heartbeats and a leader its blocks' announcements: at 100 blocks/s on each of a few channels this
	// leaves room, and a flood is cut.
	Rate: 500, Burst: 1000, Streams: 512, PeerStreams: 16,
}

// pushParallel is how many streams one topic pushes on at once, pushWaiting how many messages wait behind them. What is
// above is dropped: a push is a hint, and the next heartbeat makes up for it.
const (
	pushParallel = 32
	pushWaiting  = 1024
)

// PushServer answers PushProtocol for all topics of a host.
type PushServer struct {
	Host host.Host
	// Allow says whether a peer may speak on a topic, as a guard does on a PubSub.
	Allow func(id peer.ID, topic string) bool
	// Judge is the verdict of the named topic; Ignore when there is no such topic here.
	Judge func(topic string, from peer.ID, data []byte) Verdict
	// Speaks says whether a peer is authenticated at all.
	Speaks func(peer.ID) bool
	Log    *slog.Logger
}

// errPushRejected ends a stream whose message was an offence.
var errPushRejected = errors.New("topics: pushed message rejected")

// Run answers until ctx ends; see stream.Server.
func (s *PushServer) Run(ctx context.Context) error {
	server := stream.Server{Host: s.Host, Protocol: PushProtocol, Authorize: s.Speaks, Handle: s.handle, Log: s.Log}
	return server.Run(ctx)
}

func (s *PushServer) handle(_ context.Context, st *stream.Stream) error {
	var m pb.Push
	if err := st.Read(&m); err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	if s.Allow(st.Remote(), m.Topic) && s.Judge(m.Topic, st.Remote(), m.Data) == Reject {
		return errPushRejected
	}
	return nil
}

// push is one message on its way to one peer.
type push struct {
	to    peer.ID
	topic string
	data  []byte
}

// pushQueue holds what is to be pushed; when it is full the newest is dropped.
type pushQueue struct {
	mu      sync.Mutex // guards waiting
	waiting []push
	wake    chan struct{}
}

func newPushQueue() *pushQueue { return &pushQueue{wake: make(chan struct{}, 1)} }

func (q *pushQueue) add(to peer.ID, topic string, data []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= pushWaiting {
		return
	}
	q.waiting = append(q.waiting, push{to, topic, data})
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *pushQueue) take() []push {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.waiting
	q.waiting = nil
	return all
}

// run pushes until ctx ends.
func (q *pushQueue) run(ctx context.Context, h host.Host, log *slog.Logger) {
	var g errgroup.Group
	g.SetLimit(pushParallel)
	defer func() { _ = g.Wait() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		}
		for _, p := range q.take() {
			g.Go(func() error {
				if err := send(ctx, h, p); err != nil {
					log.Debug("push", "peer", p.to, "topic", p.topic, "err", err)
				}
				return nil
			})
		}
	}
}

func send(ctx context.Context, h host.Host, p push) error {
	s, err := stream.Open(ctx, h, p.to, PushProtocol)
	if err != nil {
		return err
	}
	if err := s.Write(&pb.Push{Topic: p.topic, Data: p.data}); err != nil {
		s.Reset(0)
		return err
	}
	return s.Close()
}
