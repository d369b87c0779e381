// SPDX-License-Identifier: Apache-2.0

package reference

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	topicName  = "blocks"
	maxMessage = 32 << 20 // bytes; the default of 1 MiB would drop a block of that size without a word
	headerSize = 16       // of a message: number of the block, index of the piece, count of pieces
)

// Gossipsub carries blocks on one topic.
type Gossipsub struct {
	Config
	piece  int
	pubsub *pubsub.PubSub
	topic  *pubsub.Topic
	sub    *pubsub.Subscription
	got    map[uint64]uint32 // pieces by block; of Run
}

// NewGossipsub makes a host's part, which lives until ctx ends. With piece 0 it has the library's defaults, and a block is a
// message. Otherwise it is tuned as well as its parameters allow: blocks are cut into pieces of so many bytes, a message
// each, that go to the neighbours in turns; the mesh's degree is 4; nothing is offered to others (IHAVE), which would fetch it
// while it is on its way; and queues hold a whole block.
func NewGossipsub(ctx context.Context, c Config, piece int) (*Gossipsub, error) {
	g := &Gossipsub{Config: c, piece: piece, got: map[uint64]uint32{}}
	opts := []pubsub.Option{pubsub.WithMaxMessageSize(maxMessage), pubsub.WithMessageIdFn(messageID)}
	if piece > 0 {
		opts = append(opts, tuned()...)
	}
	if c.Mute {
		opts = append(opts, pubsub.WithDefaultValidator(g.swallow))
	}
	var err error
	if g.pubsub, err = pubsub.NewGossipSub(ctx, c.Host, opts...); err != nil {
		return nil, fmt.Errorf("make gossipsub: %w", err)
	}
	if g.topic, err = g.pubsub.Join(topicName); err != nil {
		return nil, fmt.Errorf("join topic: %w", err)
	}
	if g.sub, err = g.topic.Subscribe(pubsub.WithBufferSize(4096)); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return g, nil
}

func tuned() []pubsub.Option {
	p := pubsub.DefaultGossipSubParams()
	p.D, p.Dlo, p.Dhi, p.Dout, p.Dscore = 4, 3, 6, 1, 3
	p.Dlazy, p.GossipFactor = 0, 0
	return []pubsub.Option{
		pubsub.WithGossipSubParams(p), pubsub.WithPeerOutboundQueueSize(4096), pubsub.WithValidateQueueSize(4096),
	}
}

// messageID makes equal blocks of several publishers one message. The default, publisher and sequence number, would not.
func messageID(m *pb.Message) string {
	return string(m.GetData()[:min(headerSize, len(m.GetData()))])
}

// swallow takes everything and passes nothing on.
func (g *Gossipsub) swallow(_ context.Context, from peer.ID, _ *pubsub.Message) pubsub.ValidationResult {
	if from == g.Host.ID() {
		return pubsub.ValidationAccept
	}
	return pubsub.ValidationIgnore
}

// Publish spreads a block.
func (g *Gossipsub) Publish(ctx context.Context, number uint64, block []byte) error {
	size := g.piece
	if size == 0 {
		size = len(block)
	}
	count := (len(block) + size - 1) / size
	var batch pubsub.MessageBatch
	for i := range count {
		m := make([]byte, headerSize, headerSize+size)
		binary.BigEndian.PutUint64(m, number)
		binary.BigEndian.PutUint32(m[8:], uint32(i))
		binary.BigEndian.PutUint32(m[12:], uint32(count))
		m = append(m, block[i*size:min((i+1)*size, len(block))]...)
		if err := g.topic.AddToBatch(ctx, &batch, m); err != nil {
			return fmt.Errorf("publish block %d: %w", number, err)
		}
	}
	return g.pubsub.PublishBatch(&batch)
}

// Run takes blocks until ctx ends.
func (g *Gossipsub) Run(ctx context.Context) error {
	defer g.sub.Cancel()
	for {
		m, err := g.sub.Next(ctx)
		if ctx.Err() != nil || errors.Is(err, pubsub.ErrSubscriptionCancelled) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if m.ReceivedFrom != g.Host.ID() && len(m.Data) >= headerSize {
			g.take(m.Data)
		}
	}
}

// take counts a piece; the library delivers each once.
func (g *Gossipsub) take(data []byte) {
	number := binary.BigEndian.Uint64(data)
	g.got[number]++
	if g.got[number] == binary.BigEndian.Uint32(data[12:]) {
		g.Delivered(number)
	}
}
