// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"slices"
	"strings"
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/reference"
	"github.com/weft-p2p/weft/topics"
)

// traffic counts what one host receives, by protocol. libp2p's own counter has a goroutine that outlives every bubble.
type traffic struct {
	metrics.Reporter // nil: the host only logs

	mu         sync.Mutex // guards all below
	in         map[protocol.ID]int64
	heartbeats int64 // bytes of what pubsub says of other topics than that of announcements
}

// listener takes what pubsub says of heartbeats apart from what it says of blocks, as it comes in.
type listener struct {
	tracer
	traffic       *traffic
	announcements string    // a topic
	heartbeats    *sync.Map // IDs of all messages on other topics, of all peers
}

// RecvRPC leaves an RPC out of what is counted as spreading blocks if all of it is about heartbeats: they, offers of them, and
// what not to send of them.
func (l listener) RecvRPC(rpc *pubsub.RPC) {
	blocks := false
	for _, m := range rpc.GetPublish() {
		if m.GetTopic() == l.announcements {
			blocks = true
		} else {
			l.heartbeats.Store(topics.MessageID(m), true)
		}
	}
	for _, offer := range rpc.GetControl().GetIhave() {
		blocks = blocks || offer.GetTopicID() == l.announcements
	}
	for _, not := range rpc.GetControl().GetIdontwant() {
		blocks = blocks || !l.known(not.GetMessageIDs())
	}
	for _, wish := range rpc.GetControl().GetIwant() {
		blocks = blocks || !l.known(wish.GetMessageIDs())
	}
	if blocks {
		return
	}
	size := proto.Size(&rpc.RPC)
	l.traffic.mu.Lock()
	defer l.traffic.mu.Unlock()
	l.traffic.heartbeats += int64(size + protowire.SizeVarint(uint64(size)))
}

// known says whether messages with these IDs are heartbeats: whoever speaks of one has heard it.
func (l listener) known(ids []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool {
		_, ok := l.heartbeats.Load(id)
		return !ok
	})
}

func (listener) DeliverMessage(*pubsub.Message) {}
func (listener) SendRPC(*pubsub.RPC, peer.ID)   {}

func newTraffic() *traffic { return &traffic{in: map[protocol.ID]int64{}} }

func (c *traffic) LogSentMessage(int64)                             {}
func (c *traffic) LogRecvMessage(int64)                             {}
func (c *traffic) LogSentMessageStream(int64, protocol.ID, peer.ID) {}
func (c *traffic) LogRecvMessageStream(n int64, p protocol.ID, _ peer.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in[p] += n
}

// blocks is how many bytes came in on all streams that carry blocks or say something of them, of weft or of a scheme beside
// it; heartbeats are left out.
func (c *traffic) blocks() int64 {
	weft, pubsub := c.received()
	c.mu.Lock()
	defer c.mu.Unlock()
	return weft + pubsub + c.in[reference.FabricProtocol] - c.heartbeats
}

// received is how many bytes came in on weft's protocols and on pubsub, that is on all streams that carry blocks or announcements.
func (c *traffic) received() (weft, pubsub int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, n := range c.in {
		switch {
		case strings.HasPrefix(string(id), "/weft/"):
			weft += n
		case strings.HasPrefix(string(id), "/meshsub/"), strings.HasPrefix(string(id), "/floodsub/"):
			pubsub += n
		}
	}
	return weft, pubsub
}
