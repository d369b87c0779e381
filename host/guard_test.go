// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"context"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
)

func TestGuardAttach(t *testing.T) {
	g := host.NewGuard()
	yes := func(peer.ID) bool { return true }
	allow := func(peer.ID, string) bool { return true }
	detach, err := g.Attach(allow, yes)
	require.NoError(t, err)
	_, err = g.Attach(allow, yes)
	require.ErrorIs(t, err, host.ErrAttached)
	detach()
	again, err := g.Attach(allow, yes)
	require.NoError(t, err)
	detach() // late and for the second time: not the node that is attached now
	_, err = g.Attach(allow, yes)
	require.ErrorIs(t, err, host.ErrAttached)
	again()
}

// Strangers of every kind subscribe to a weft topic and get nothing of what is published there, by a member or by us.
func TestGuardKeepsStrangersOut(t *testing.T) {
	for name, proto := range map[string]protocol.ID{
		"gossipsub 1.3": pubsub.GossipSubID_v13,
		"gossipsub 1.2": pubsub.GossipSubID_v12,
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				h, member := s.plain(), s.plain()
				ps, g := guardedPubSub(s, h, pubsub.WithFloodPublish(true))
				memberPS, memberGuard := guardedPubSub(s, member)
				members := new(allowOnly)
				members.set(h.ID(), true)
				members.set(member.ID(), true)
				attach(t, g, members)
				attach(t, memberGuard, members)
				stranger := newSnooper(s, h, proto)
				stranger.subscribe(weftTopic, otherTopic)
				stranger.control(&pb.ControlMessage{Graft: []*pb.ControlGraft{{TopicID: ptr(weftTopic)}}})
				connect(t, h, member)
				topic, got := join(t, ps, weftTopic)
				memberTopic, memberGot := join(t, memberPS, weftTopic)
				other, _ := join(t, ps, otherTopic)
				time.Sleep(5 * time.Second)

				require.NoError(t, topic.Publish(t.Context(), []byte("ours")))
				require.NoError(t, memberTopic.Publish(t.Context(), []byte("theirs")))
				require.NoError(t, other.Publish(t.Context(), []byte("open")))
				time.Sleep(5 * time.Second)

				require.ElementsMatch(t, []string{"ours", "theirs"}, got.all())
				require.ElementsMatch(t, []string{"ours", "theirs"}, memberGot.all())
				require.Equal(t, []string{"open"}, stranger.messages(), "a topic that is not weft's is not touched")
				grafts, _, _ := stranger.told(weftTopic)
				require.Zero(t, grafts)
				grafts, _, _ = stranger.told(otherTopic)
				require.NotZero(t, grafts)
			})
		})
	}
}

// Who speaks nothing but floodsub, or an old gossipsub, finds no protocol in common.
func TestGuardOffersNoOldProtocol(t *testing.T) {
	for _, proto := range []protocol.ID{pubsub.FloodSubID, pubsub.GossipSubID_v10, pubsub.GossipSubID_v11} {
		t.Run(string(proto), func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				h := s.plain()
				ps, g := guardedPubSub(s, h)
				attach(t, g, new(allowOnly))
				stranger := s.plain()
				heard := false
				stranger.SetStreamHandler(proto, func(st network.Stream) { heard = true; _ = st.Reset() })
				connect(t, stranger, h)
				_, err := stranger.NewStream(t.Context(), h.ID(), proto)
				require.Error(t, err)
				topic, _ := join(t, ps, weftTopic)
				require.NoError(t, topic.Publish(t.Context(), []byte("secret")))
				time.Sleep(3 * time.Second)
				require.False(t, heard)
			})
		})
	}
}

// slowHost is a host whose pubsub streams open when release is closed: a peer that grants no streams holds them up.
type slowHost struct {
	corehost.Host
	release chan struct{}
}

func (h *slowHost) NewStream(ctx context.Context, id peer.ID, protos ...protocol.ID) (network.Stream, error) {
	<-h.release
	return h.Host.NewStream(ctx, id, protos...)
}

// gossipsub takes a peer that it has no stream to yet for a floodsub one, and queues what is published meanwhile.
func TestGuardHoldsWhileOurStreamIsHeldUp(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		h := &slowHost{Host: s.plain(), release: make(chan struct{})}
		ps, g := guardedPubSub(s, h)
		attach(t, g, new(allowOnly))
		topic, _ := join(t, ps, weftTopic)
		n := newSnooper(s, h, pubsub.GossipSubID_v12)
		n.subscribe(weftTopic)
		time.Sleep(time.Second)
		require.NoError(t, topic.Publish(t.Context(), []byte("secret")))
		time.Sleep(time.Second)
		require.Empty(t, n.heard())
		close(h.release)
		time.Sleep(3 * time.Second)
		require.NotEmpty(t, n.heard(), "our stream came up")
		require.Empty(t, n.messages())
	})
}

func TestGuardDropsWhatStrangersInject(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		h := s.plain()
		ps, g := guardedPubSub(s, h)
		members := new(allowOnly)
		attach(t, g, members)
		_, got := join(t, ps, weftTopic)
		_, other := join(t, ps, otherTopic)
		n := newSnooper(s, h, pubsub.GossipSubID_v12)
		say := func(data string) {
			n.say(&pb.RPC{Publish: []*pb.Message{
				{Topic: ptr(weftTopic), Data: []byte("weft " + data)},
				{Topic: ptr(otherTopic), Data: []byte("other " + data)},
			}})
			time.Sleep(time.Second)
		}
		say("from a stranger")
		require.Empty(t, got.all())
		require.Equal(t, []string{"other from a stranger"}, other.all())

		members.set(n.host.ID(), true)
		say("from a member")
		require.Equal(t, []string{"weft from a member"}, got.all())

		members.set(n.host.ID(), false)
		say("from one who was")
		require.Equal(t, []string{"weft from a member"}, got.all())
		require.Len(t, other.all(), 3)
	})
}

// IHAVE and IWANT of a stranger: we neither ask for its messages nor hand out those of a weft topic, by ID.
func TestGuardGossipsWithMembersOnly(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		h := s.plain()
		ps, g := guardedPubSub(s, h)
		members := new(allowOnly)
		attach(t, g, members)
		topic, _ := join(t, ps, weftTopic)
		other, _ := join(t, ps, otherTopic)
		n := newSnooper(s, h, pubsub.GossipSubID_v12)
		require.NoError(t, topic.Publish(t.Context(), []byte("weft")))
		require.NoError(t, other.Publish(t.Context(), []byte("open")))

		gossip := &pb.ControlMessage{
			Iwant: []*pb.ControlIWant{{MessageIDs: []string{"weft", "open"}}},
			Ihave: []*pb.ControlIHave{
				{TopicID: ptr(weftTopic), MessageIDs: []string{"w1"}},
				{TopicID: ptr(otherTopic), MessageIDs: []string{"o1"}},
			},
		}
		n.control(gossip)
		time.Sleep(500 * time.Millisecond)
		require.Equal(t, []string{"open"}, n.messages())
		require.Equal(t, []string{"o1"}, wanted(n))

		members.set(n.host.ID(), true)
		n.control(gossip)
		time.Sleep(500 * time.Millisecond)
		require.Contains(t, n.messages(), "weft")
		require.Contains(t, wanted(n), "w1")
	})
}

// A prune is heard, but the peers in it are not dialed.
func TestGuardTakesNoPeerExchange(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		h, third := s.plain(), s.plain()
		ps, g := guardedPubSub(s, h)
		members := new(allowOnly)
		attach(t, g, members)
		_, _ = join(t, ps, weftTopic)
		n := newSnooper(s, h, pubsub.GossipSubID_v12)
		h.Peerstore().AddAddrs(third.ID(), third.Network().ListenAddresses(), time.Hour)
		n.control(&pb.ControlMessage{Prune: []*pb.ControlPrune{
			{TopicID: ptr(weftTopic), Peers: []*pb.PeerInfo{{PeerID: []byte(third.ID())}}},
		}})
		time.Sleep(5 * time.Second)
		require.False(t, connected(h, third))
	})
}

// What a peer said before it was authenticated is not lost: its subscriptions count, and so does its graft.
func TestGuardRemembersWhatCameTooEarly(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		h := s.plain()
		params := pubsub.DefaultGossipSubParams()
		params.HeartbeatInitialDelay = time.Hour // no graft of our own
		ps, g := guardedPubSub(s, h, pubsub.WithGossipSubParams(params))
		members := new(allowOnly)
		attach(t, g, members)
		topic, _ := join(t, ps, weftTopic)
		n := newSnooper(s, h, pubsub.GossipSubID_v12)
		n.subscribe(weftTopic)
		n.control(&pb.ControlMessage{Graft: []*pb.ControlGraft{{TopicID: ptr(weftTopic)}}})
		time.Sleep(time.Second)
		members.set(n.host.ID(), true)
		n.control(&pb.ControlMessage{Iwant: []*pb.ControlIWant{{}}}) // whatever it says next
		time.Sleep(time.Second)
		require.NoError(t, topic.Publish(t.Context(), []byte("in the mesh")))
		time.Sleep(time.Second)
		require.Equal(t, []string{"in the mesh"}, n.messages())
	})
}

// gossipsub asks its filter only when it takes a peer in; Recheck takes out who may not stay.
func TestGuardRecheck(t *testing.T) {
	for name, tc := range map[string]struct {
		revoke func(members *allowOnly, id peer.ID, detach func())
		want   []string
	}{
		"still allowed": {func(*allowOnly, peer.ID, func()) {}, []string{"before", "after"}},
		"refused":       {func(m *allowOnly, id peer.ID, _ func()) { m.set(id, false) }, []string{"before"}},
		"detached":      {func(_ *allowOnly, _ peer.ID, detach func()) { detach() }, []string{"before"}},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				h, other := s.plain(), s.plain()
				ps, g := guardedPubSub(s, h)
				members := new(allowOnly)
				detach := attach(t, g, members)
				topic, _ := join(t, ps, weftTopic)
				open, _ := join(t, ps, otherTopic)
				otherPS, otherGuard := guardedPubSub(s, other)
				theirs := new(allowOnly)
				theirs.set(h.ID(), true)
				attach(t, otherGuard, theirs)
				_, got := join(t, otherPS, weftTopic)
				_, gotOpen := join(t, otherPS, otherTopic)
				members.set(other.ID(), true)
				connect(t, h, other)
				time.Sleep(3 * time.Second)
				require.NoError(t, topic.Publish(t.Context(), []byte("before")))
				time.Sleep(time.Second)

				tc.revoke(members, other.ID(), detach)
				g.Recheck(h)
				time.Sleep(5 * time.Second)
				require.NoError(t, topic.Publish(t.Context(), []byte("after")))
				require.NoError(t, open.Publish(t.Context(), []byte("open")))
				time.Sleep(5 * time.Second)
				require.Equal(t, tc.want, got.all())
				require.Equal(t, []string{"open"}, gotOpen.all(), "the connection and other topics live on")
				require.True(t, connected(h, other))
			})
		})
	}
}

// A hostile peer can make us remember a bounded number of topics.
func TestGuardBoundsSubscriptions(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		h := s.plain()
		ps, g := guardedPubSub(s, h)
		attach(t, g, new(allowOnly))
		n := newSnooper(s, h, pubsub.GossipSubID_v12)
		topics := make([]string, 600)
		for i := range topics {
			topics[i] = host.TopicPrefix + string(rune('a'+i/26)) + string(rune('a'+i%26))
		}
		n.subscribe(topics...)
		n.subscribe(host.TopicPrefix + string(make([]byte, 200)))
		time.Sleep(time.Second)
		seen := 0
		for _, topic := range topics {
			seen += len(ps.ListPeers(topic))
		}
		require.Equal(t, 512, seen)
		require.Empty(t, ps.ListPeers(host.TopicPrefix+string(make([]byte, 200))))
	})
}

// On our own host strangers do not even learn the IDs of messages.
func TestOwnHostTellsStrangersNoIDs(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		h := s.host(nil)
		members := new(allowOnly)
		attach(t, h.Guard, members)
		topic, err := h.PubSub.Join(weftTopic, pubsub.WithTopicMessageIdFn(dataID))
		require.NoError(t, err)
		sub, err := topic.Subscribe()
		require.NoError(t, err)
		defer sub.Cancel()
		stranger := newSnooper(s, h, pubsub.GossipSubID_v12)
		member := newSnooper(s, h, pubsub.GossipSubID_v12)
		stranger.subscribe(weftTopic)
		members.set(member.host.ID(), true)
		member.subscribe(weftTopic)
		time.Sleep(2 * time.Second)
		member.control(&pb.ControlMessage{Prune: []*pb.ControlPrune{{TopicID: ptr(weftTopic)}}}) // so that it gets gossip
		time.Sleep(time.Second)
		require.NoError(t, topic.Publish(t.Context(), []byte("secret")))
		time.Sleep(3 * time.Second)
		_, _, ihaves := stranger.told(weftTopic)
		require.Zero(t, ihaves)
		_, _, ihaves = member.told(weftTopic)
		require.NotZero(t, ihaves)
	})
}
