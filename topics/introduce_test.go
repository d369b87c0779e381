// SPDX-License-Identifier: Apache-2.0

package topics_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/fair"
)

// TestIntroduceWhatIsJudged: who introduces what it is judging leaves the topic to pubsub, which sends it once, not to whom it came
// from, and is done with it. A line of three; what came on a stream goes on the topic.
func TestIntroduceWhatIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(t, 3, all)
		require.NoError(t, nodes[0].Network().ClosePeer(nodes[2].ID()))
		time.Sleep(3 * time.Second)
		for _, n := range nodes {
			n.set(func() {
				n.members = nil
				n.then = func(from peer.ID, data []byte) {
					require.NoError(t, n.topic.Introduce(t.Context(), from, fair.Owner{}, data))
				}
			})
		}
		require.NoError(t, nodes[0].topic.Publish(t.Context(), []byte("on the topic")))
		time.Sleep(3 * time.Second)
		require.Equal(t, []string{"on the topic"}, nodes[2].messages())
		require.NoError(t, nodes[1].topic.Introduce(t.Context(), nodes[0].ID(), fair.Owner{}, []byte("on a stream")))
		time.Sleep(3 * time.Second)
		require.Equal(t, []string{"on the topic", "on a stream"}, nodes[2].messages())
		require.Equal(t, []string{"on a stream"}, nodes[0].messages())
		synctest.Wait()
		for _, n := range nodes {
			require.Empty(t, n.tracer.judged, "pubsub is done with all")
			require.Zero(t, n.tracer.duplicates)
		}
	})
}

// tracer notes which messages from others a pubsub has judged and neither delivered nor rejected, and how many came again.
type tracer struct {
	mu         sync.Mutex
	judged     map[string]struct{}
	duplicates int
}

func newTracer() *tracer { return &tracer{judged: map[string]struct{}{}} }

func (r *tracer) ValidateMessage(m *pubsub.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.judged[m.ID] = struct{}{}
}

func (r *tracer) done(m *pubsub.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.judged, m.ID)
}

func (r *tracer) DuplicateMessage(*pubsub.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.duplicates++
}

func (r *tracer) DeliverMessage(m *pubsub.Message)          { r.done(m) }
func (r *tracer) RejectMessage(m *pubsub.Message, _ string) { r.done(m) }
func (r *tracer) OnNewOutboundStream(peer.ID, protocol.ID)  {}
func (r *tracer) OnClosedOutboundStream(peer.ID)            {}
func (r *tracer) Join(string)                               {}
func (r *tracer) Leave(string)                              {}
func (r *tracer) Graft(peer.ID, string)                     {}
func (r *tracer) Prune(peer.ID, string)                     {}
func (r *tracer) ThrottlePeer(peer.ID)                      {}
func (r *tracer) RecvRPC(*pubsub.RPC)                       {}
func (r *tracer) SendRPC(*pubsub.RPC, peer.ID)              {}
func (r *tracer) DropRPC(*pubsub.RPC, peer.ID)              {}
func (r *tracer) UndeliverableMessage(*pubsub.Message)      {}
