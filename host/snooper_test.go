// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-msgio"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/host"
)

const (
	weftTopic  = "/weft/1/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	otherTopic = "the-caller's-own"
)

// snooper speaks pubsub by hand, so that it can say what no honest pubsub does and sees every RPC.
type snooper struct {
	t      *testing.T
	host   corehost.Host
	stream network.Stream

	mu  sync.Mutex // guards got
	got []*pb.RPC
}

// newSnooper connects to victim, which finds it speaking proto.
func newSnooper(s *sim, victim corehost.Host, proto protocol.ID) *snooper {
	n := &snooper{t: s.t, host: s.plain()}
	n.host.SetStreamHandler(proto, n.listen)
	connect(s.t, n.host, victim)
	st, err := n.host.NewStream(s.t.Context(), victim.ID(), proto)
	require.NoError(s.t, err)
	n.stream = st
	time.Sleep(time.Second) // the victim's stream is up
	return n
}

func (n *snooper) listen(s network.Stream) {
	r := msgio.NewVarintReaderSize(s, 1<<20)
	for {
		raw, err := r.ReadMsg()
		if err != nil {
			_ = s.Reset()
			return
		}
		rpc := new(pb.RPC)
		if proto.Unmarshal(raw, rpc) == nil {
			n.mu.Lock()
			n.got = append(n.got, rpc)
			n.mu.Unlock()
		}
	}
}

func (n *snooper) say(rpc *pb.RPC) {
	n.t.Helper()
	raw, err := proto.Marshal(rpc)
	require.NoError(n.t, err)
	_, err = n.stream.Write(append(binary.AppendUvarint(nil, uint64(len(raw))), raw...))
	require.NoError(n.t, err)
}

func (n *snooper) subscribe(topics ...string) {
	n.t.Helper()
	rpc := new(pb.RPC)
	for _, topic := range topics {
		rpc.Subscriptions = append(rpc.Subscriptions, &pb.RPC_SubOpts{Topicid: &topic, Subscribe: proto.Bool(true)})
	}
	n.say(rpc)
}

func (n *snooper) control(c *pb.ControlMessage) { n.t.Helper(); n.say(&pb.RPC{Control: c}) }

func (n *snooper) heard() []*pb.RPC {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]*pb.RPC(nil), n.got...)
}

// messages returns the data published to the snooper.
func (n *snooper) messages() (data []string) {
	for _, rpc := range n.heard() {
		for _, m := range rpc.Publish {
			data = append(data, string(m.Data))
		}
	}
	return data
}

// told counts the control messages about a topic that reached the snooper.
func (n *snooper) told(topic string) (grafts, prunes, ihaves int) {
	for _, rpc := range n.heard() {
		for _, c := range rpc.GetControl().GetGraft() {
			if c.GetTopicID() == topic {
				grafts++
			}
		}
		for _, c := range rpc.GetControl().GetPrune() {
			if c.GetTopicID() == topic {
				prunes++
			}
		}
		for _, c := range rpc.GetControl().GetIhave() {
			if c.GetTopicID() == topic {
				ihaves++
			}
		}
	}
	return grafts, prunes, ihaves
}

// inbox collects what a subscription delivers.
type inbox struct {
	mu   sync.Mutex // guards data
	data []string
}

func (b *inbox) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.data...)
}

func join(t *testing.T, ps *pubsub.PubSub, name string) (*pubsub.Topic, *inbox) {
	t.Helper()
	topic, err := ps.Join(name)
	require.NoError(t, err)
	sub, err := topic.Subscribe()
	require.NoError(t, err)
	b := new(inbox)
	run(t, func(ctx context.Context) error {
		for {
			m, err := sub.Next(ctx)
			if err != nil {
				sub.Cancel()
				return nil
			}
			b.mu.Lock()
			b.data = append(b.data, string(m.Data))
			b.mu.Unlock()
		}
	})
	return topic, b
}

// allowOnly is a node that verified the peers in it.
type allowOnly struct {
	mu    sync.Mutex // guards peers
	peers map[peer.ID]bool
}

func (a *allowOnly) set(id peer.ID, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.peers == nil {
		a.peers = make(map[peer.ID]bool)
	}
	a.peers[id] = ok
}

func (a *allowOnly) speaks(id peer.ID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.peers[id]
}

func (a *allowOnly) allow(id peer.ID, _ string) bool { return a.speaks(id) }

// guardedPubSub is what a caller has who built everything but the guard himself.
func guardedPubSub(s *sim, h corehost.Host, opts ...pubsub.Option) (*pubsub.PubSub, *host.Guard) {
	g := host.NewGuard()
	ctx, cancel := context.WithCancel(s.t.Context())
	s.t.Cleanup(cancel)
	opts = append([]pubsub.Option{
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithNoAuthor(), pubsub.WithMessageIdFn(dataID),
	}, opts...)
	ps, err := pubsub.NewGossipSub(ctx, h, append(opts, g.PubSubOptions()...)...)
	require.NoError(s.t, err)
	return ps, g
}

func dataID(m *pb.Message) string { return string(m.Data) }

func attach(t *testing.T, g *host.Guard, members *allowOnly) (detach func()) {
	t.Helper()
	detach, err := g.Attach(members.allow, members.speaks)
	require.NoError(t, err)
	return detach
}

func wanted(n *snooper) (ids []string) {
	for _, rpc := range n.heard() {
		for _, c := range rpc.GetControl().GetIwant() {
			ids = append(ids, c.MessageIDs...)
		}
	}
	return ids
}

func ptr(s string) *string { return &s }
