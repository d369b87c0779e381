// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bytes"
	"maps"
	"slices"
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/weft-p2p/weft/topics"
)

// tap hears what a pubsub delivers and sends. A nil tap hears nothing.
type tap struct {
	mu        sync.Mutex // guards all below
	delivered []*pubsub.Message
	sent      []*pb.Message          // every message that went out, as often as it did
	out       map[string]*pb.Message // the same by its ID
	refused   map[string]string      // by message ID, why
}

func (t *tap) options() []pubsub.Option {
	if t == nil {
		return nil
	}
	return []pubsub.Option{pubsub.WithRawTracer(tracer{t})}
}

// messages are the messages of a topic that were delivered or sent: of what is passed on before pubsub does it, nobody hears
// that it was delivered.
func (t *tap) messages(topic string) [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all [][]byte
	for _, m := range t.delivered {
		if m.GetTopic() == topic {
			all = append(all, m.GetData())
		}
	}
	for _, id := range slices.Sorted(maps.Keys(t.out)) {
		if m := t.out[id]; m.GetTopic() == topic {
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

// verdict is what became of a message: rejected, ignored, delivered or, if it did not get so far, unheard.
func (t *tap) verdict(id string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch why, ok := t.refused[id]; {
	case why == pubsub.RejectValidationFailed:
		return rejected
	case why == pubsub.RejectValidationIgnored:
		return ignored
	case ok:
		return why
	}
	for _, m := range t.delivered {
		if m.ID == id {
			return delivered
		}
	}
	return unheard
}

// ids are the IDs of all messages that were delivered or sent.
func (t *tap) ids() (all []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.delivered {
		all = append(all, m.ID)
	}
	return slices.AppendSeq(all, maps.Keys(t.out))
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
	for _, m := range rpc.GetPublish() {
		if t.out == nil {
			t.out = map[string]*pb.Message{}
		}
		t.out[topics.MessageID(m)] = m
	}
}

func (t tracer) RejectMessage(m *pubsub.Message, why string) {
	if t.tap == nil { // of somebody who only counts
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused == nil {
		t.refused = map[string]string{}
	}
	t.refused[m.ID] = why
}

func (tracer) OnNewOutboundStream(peer.ID, protocol.ID) {}
func (tracer) OnClosedOutboundStream(peer.ID)           {}
func (tracer) Join(string)                              {}
func (tracer) Leave(string)                             {}
func (tracer) Graft(peer.ID, string)                    {}
func (tracer) Prune(peer.ID, string)                    {}
func (tracer) ValidateMessage(*pubsub.Message)          {}
func (tracer) DuplicateMessage(*pubsub.Message)         {}
func (tracer) ThrottlePeer(peer.ID)                     {}
func (tracer) RecvRPC(*pubsub.RPC)                      {}
func (tracer) DropRPC(*pubsub.RPC, peer.ID)             {}
func (tracer) UndeliverableMessage(*pubsub.Message)     {}
