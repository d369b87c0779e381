// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"
	"github.com/weft-p2p/weft/blocksync"
	syncpb "github.com/weft-p2p/weft/blocksync/pb"
	weftHost "github.com/weft-p2p/weft/host"
	hostpb "github.com/weft-p2p/weft/host/pb"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/simtest"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/topics"
	topicspb "github.com/weft-p2p/weft/topics/pb"
	"google.golang.org/protobuf/encoding/protowire"
)

// TestStrangerHearsNothing: a host of another organization that is connected to every peer, knows all topic names, and tries
// whatever the protocols let it say. It gets no block, no announcement, no heartbeat, no certificate, no address and no
// channel name; and nobody passes on what it says.
func TestStrangerHearsNothing(t *testing.T) {
	for _, c := range []struct {
		name      string
		plain     bool          // the members stand on a caller's pubsub that has no guard
		protocols []protocol.ID // what the stranger speaks of pubsub
	}{
		{"that speaks gossipsub", false, pubsubProtocols},
		{"that speaks floodsub", false, []protocol.ID{pubsub.FloodSubID}},
		{"that speaks old gossipsub", false, []protocol.ID{pubsub.GossipSubID_v11, pubsub.GossipSubID_v10}},
		{"among members without a guard", true, pubsubProtocols},
		{"that speaks floodsub among members without a guard", true, []protocol.ID{pubsub.FloodSubID}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && len(c.protocols) < len(pubsubProtocols) {
				t.Skip("the others have all protocols")
			}
			synctest.Test(t, func(t *testing.T) {
				n := newNet(t, lan, 2, 2)
				for _, p := range n.peers {
					p.plain, p.tap = c.plain, &tap{}
				}
				s := n.newStranger(100, c.protocols...)
				n.startAll()
				n.order(3, 2<<10, 50*time.Millisecond)
				for _, p := range n.peers {
					s.meet(p)
				}
				time.Sleep(2 * time.Second)
				n.order(5, 2<<10, 300*time.Millisecond)
				for _, p := range n.peers {
					s.intrude(p, c.protocols)
				}
				n.order(5, 2<<10, 300*time.Millisecond)
				n.order(2, 40<<10, 300*time.Millisecond)
				for _, p := range n.peers {
					s.intrude(p, c.protocols)
				}
				time.Sleep(10 * time.Second)
				n.requireAll(time.Second, n.peers...)
				s.requireIgnorance()
				n.requireView(n.peers...)
			})
		})
	}
}

// topicNames are all topics that the network has.
func (n *testNet) topicNames() []string {
	salt := block.HeaderHash(n.genesis.Header)
	names := []string{topics.Name(topics.Announcements, channelName, salt), topics.Name(topics.Members, channelName, salt)}
	for _, p := range n.peers {
		local, err := p.node.Local()
		require.NoError(n.t, err)
		roots := local.MSP.Roots()
		slices.SortFunc(roots, slices.Compare)
		sum := sha256.Sum256(slices.Concat(roots...))
		names = append(names, topics.Name(topics.Organization, p.org.MSPID, sum[:]))
	}
	return slices.Compact(names)
}

// mark is in everything that the stranger makes up.
var mark = []byte("made up by the stranger")

// intrude tries everything on one peer.
func (s *stranger) intrude(p *testPeer, protocols []protocol.ID) {
	for _, id := range protocols {
		w := s.speak(p, id)
		for _, m := range s.intrusions() {
			_, _ = w.Write(delimited(m))
			time.Sleep(10 * time.Millisecond)
		}
	}
	for _, scope := range append(s.net.topicNames(), channelName, "") {
		s.say(p, blocksync.Protocol.ID, delimited(&syncpb.Request{Scope: scope, From: 0, To: 20}))
		s.say(p, blocksync.Protocol.ID, delimited(&syncpb.Request{Scope: scope, From: 3, To: 3}))
		for _, data := range s.lies(scope) {
			s.say(p, topics.PushProtocol.ID, delimited(&topicspb.Push{Topic: scope, Data: data}))
		}
	}
	stolen, err := msp.IssueRecord(p.key, s.local.Signer, 1, time.Now())
	require.NoError(s.net.t, err)
	for _, record := range [][]byte{s.record.Bytes(), stolen.Bytes(), mark, nil} {
		s.say(p, weftHost.AuthProtocol.ID, delimited(&hostpb.AuthRequest{Record: record}))
	}
}

// intrusions are messages of pubsub: a hello for all topics, grafts, requests for every message that the members have sent
// each other, and lies.
func (s *stranger) intrusions() []*pb.RPC {
	hello, control := &pb.RPC{}, &pb.ControlMessage{}
	yes := true
	var lies []*pb.RPC
	for _, topic := range s.net.topicNames() {
		hello.Subscriptions = append(hello.Subscriptions, &pb.RPC_SubOpts{Subscribe: &yes, Topicid: &topic})
		control.Graft = append(control.Graft, &pb.ControlGraft{TopicID: &topic})
		control.Ihave = append(control.Ihave, &pb.ControlIHave{TopicID: &topic, MessageIDs: []string{string(mark[:20])}})
		control.Iwant = append(control.Iwant, &pb.ControlIWant{MessageIDs: s.net.messageIDs(topic)})
		for _, data := range s.lies(topic) {
			lies = append(lies, &pb.RPC{Publish: []*pb.Message{{Topic: &topic, Data: data}}})
		}
	}
	return append([]*pb.RPC{hello, {Control: control}}, lies...)
}

// messageIDs are the IDs of all messages that any member was sent on a topic.
func (n *testNet) messageIDs(topic string) []string {
	var ids []string
	for _, p := range n.peers {
		for _, data := range p.tap.messages(topic) {
			ids = append(ids, topics.MessageID(&pb.Message{Topic: &topic, Data: data}))
		}
	}
	return ids
}

// lies are messages for a topic: garbage; an announcement of a true block and a heartbeat, both signed by the stranger; true
// messages, with a mark in a field that nobody knows.
func (s *stranger) lies(topic string) [][]byte {
	t := s.net.t
	a, err := topics.Announce(s.net.ordered(s.net.orderer.Height() - 1))
	require.NoError(t, err)
	content, err := a.Marshal()
	require.NoError(t, err)
	announcement, err := msp.Seal(topics.Purpose, topic, s.record, s.local.Signer, content)
	require.NoError(t, err)
	addr := ma.StringCast("/dns4/" + strings.ReplaceAll(string(mark), " ", "-") + "/tcp/1")
	content, err = membership.Heartbeat{Sequence: 1, Addrs: []ma.Multiaddr{addr}, Channels: []membership.ChannelState{
		{Scope: s.net.topicNames()[0], Height: 1000, HeadHash: make([]byte, 32)},
	}}.Marshal()
	require.NoError(t, err)
	heartbeat, err := msp.Seal(membership.Purpose, topic, s.record, s.local.Signer, content)
	require.NoError(t, err)
	lies := [][]byte{mark, marked(announcement), marked(heartbeat)}
	for _, p := range s.net.peers {
		if heard := p.tap.messages(topic); len(heard) > 0 {
			lies = append(lies, marked(heard[len(heard)-1]))
		}
	}
	return lies
}

// marked is a message with the mark in a field that nobody knows.
func marked(message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(slices.Clone(message), 999, protowire.BytesType), mark)
}

// requireIgnorance requires that nothing of what the members know was in what the stranger heard, and that nothing of what it
// said was passed on.
func (s *stranger) requireIgnorance() {
	t, n := s.net.t, s.net
	all := s.everything()
	t.Logf("the stranger heard %d bytes", len(all))
	require.NotEmpty(t, all, "the stranger heard no answer to anything")
	require.False(t, bytes.Contains(all, []byte(channelName)), "name of the channel")
	for number := uint64(1); number < n.orderer.Height(); number++ {
		b := n.ordered(number)
		require.False(t, bytes.Contains(all, b.Header.DataHash), "data hash of block %d", number)
		require.False(t, bytes.Contains(all, block.HeaderHash(b.Header)), "hash of block %d", number)
		tx := b.Data.Data[0]
		require.False(t, bytes.Contains(all, tx[len(tx)/2:len(tx)/2+32]), "data of block %d", number)
	}
	for _, p := range n.peers {
		require.False(t, bytes.Contains(all, p.node.Certificate.Raw), "certificate of peer %d", p.number)
		require.False(t, bytes.Contains(all, p.node.CertPEM()), "certificate of peer %d", p.number)
		require.False(t, bytes.Contains(all, []byte(p.org.MSPID)), "MSP ID of peer %d", p.number)
		require.False(t, bytes.Contains(all, []byte(p.host.ID().String())), "ID of peer %d", p.number)
		require.False(t, bytes.Contains(all, []byte(p.host.ID())), "ID of peer %d", p.number)
		require.False(t, bytes.Contains(all, ma.StringCast(simtest.Address(p.number)).Bytes()), "address of peer %d", p.number)
		require.False(t, p.tap.passedOn(mark), "peer %d passed on what the stranger said", p.number)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range []protocol.ID{blocksync.Protocol.ID, topics.PushProtocol.ID} {
		if b := s.heard[id]; b != nil {
			require.Empty(t, b.Bytes(), "bytes on %s", id)
		}
	}
}
