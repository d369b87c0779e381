// SPDX-License-Identifier: Apache-2.0

package topics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/stream"
	"github.com/weft-p2p/weft/topics/pb"
)

// PushProtocol carries messages of topics straight to a peer: one message a stream, no answer.
var PushProtocol = stream.Protocol{
	ID: "/weft/push/1.0.0", Service: "weft.push",
	Memory: 2 << 20, MaxMessage: 1 << 20, Deadline: 10 * time.Second,
	// A member pushes its heartbeats and a leader its blocks' announcements: at 100 blocks/s on each of a few channels this
	// leaves room, and a flood is cut.
	Rate: 500, Burst: 1000, OrgRate: 4000, OrgBurst: 8000, Streams: 96, PeerStreams: 32,
}

// MaxTopic is the longest topic name in a push, in bytes.
const MaxTopic = 128

// PushServer answers PushProtocol for all topics of a host.
type PushServer struct {
	Host host.Host
	// Allow says whether a peer may speak on a topic, as a guard does on a PubSub.
	Allow func(id peer.ID, topic string) bool
	// Judge is the verdict of the named topic; Ignore when there is no such topic here.
	Judge func(topic string, from peer.ID, data []byte) Verdict
	// Speaks says whether a peer is authenticated at all.
	Speaks func(peer.ID) bool
	// Accounts are those of the host's other servers; nil: every peer counts for itself.
	Accounts *stream.Accounts
	Log      *slog.Logger
}

// errPushRejected ends a stream whose message was an offence.
var errPushRejected = fmt.Errorf("topics: pushed message rejected: %w", stream.ErrViolation)

// Run answers until ctx ends; see stream.Server.
func (s *PushServer) Run(ctx context.Context) error {
	server := stream.Server{Host: s.Host, Protocol: PushProtocol, Accounts: s.Accounts, Authorize: s.Speaks, Handle: s.handle, Log: s.Log}
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
	if err := checkPush(&m); err != nil {
		return err
	}
	if !s.Allow(st.Remote(), m.Topic) {
		st.Reset(network.StreamGated)
		return errNotAllowed
	}
	if s.Judge(m.Topic, st.Remote(), m.Data) == Reject {
		return errPushRejected
	}
	return nil
}

func checkPush(m *pb.Push) error {
	if len(m.Topic) > MaxTopic || len(m.Data) > MaxMessage {
		return fmt.Errorf("%w: %d bytes on a topic of %d", errPushRejected, len(m.Data), len(m.Topic))
	}
	return nil
}
