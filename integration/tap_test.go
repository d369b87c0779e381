// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bytes"
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// tap hears what a pubsub delivers and sends. A nil tap hears nothing.
type tap struct {
	mu        sync.Mutex // guards all below
	delivered []*pubsub.Message
	sent      []*pb.Message // every message that went out
}

func (t *tap) options() []pubsub.Option {
	if t == nil {
		return nil
	}
	return []pubsub.Option{pubsub.WithRawTracer(tracer{t})}
}

// messages are the messages that were delivered on a topic.
func (t *tap) messages(topic string) [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all [][]byte
	for _, m := range t.delivered {
		if m.GetTopic() == topic {
			all = append(all, m.GetData())
		}
	}
	return all
}

// passedOn says whether a message with these bytes in it was sent to anybody.
func (t *tap) passedOn(mark []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.sent {
		if bytes.Contains(m.GetData(), mark) {
			return true
		}
	}
	return false
}

// tracer is the tap's end in pubsub.
type tracer struct{ *tap }

func (t tracer) DeliverMessage(m *pubsub.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.delivered = append(t.delivered, m)
}

func (t tracer) SendRPC(rpc *pubsub.RPC, _ peer.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent = append(t.sent, rpc.GetPublish()...)
}

func (tracer) OnNewOutboundStream(peer.ID, protocol.ID) {}
func (tracer) OnClosedOutboundStream(peer.ID)           {}
func (tracer) Join(string)                              {}
func (tracer) Leave(string)                             {}
func (tracer) Graft(peer.ID, string)                    {}
func (tracer) Prune(peer.ID, string)                    {}
func (tracer) ValidateMessage(*pubsub.Message)          {}
func (tracer) RejectMessage(*pubsub.Message, string)    {}
func (tracer) DuplicateMessage(*pubsub.Message)         {}
func (tracer) ThrottlePeer(peer.ID)                     {}
func (tracer) RecvRPC(*pubsub.RPC)                      {}
func (tracer) DropRPC(*pubsub.RPC, peer.ID)             {}
func (tracer) UndeliverableMessage(*pubsub.Message)     {}
