// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync"
	syncpb "github.com/weft-p2p/weft/blocksync/pb"
	"github.com/weft-p2p/weft/blocksync/relay"
	weftHost "github.com/weft-p2p/weft/host"
	hostpb "github.com/weft-p2p/weft/host/pb"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/topics"
	topicspb "github.com/weft-p2p/weft/topics/pb"
)

// topicNames are all topics that the network has.
func (n *testNet) topicNames() []string {
	salt := block.HeaderHash(n.genesis.Header)
	names := []string{topics.Name(topics.Announcements, channelName, salt), topics.Name(topics.Members, channelName, salt)}
	for _, p := range n.peers {
		local, err := p.node.Local()
		if err != nil { // revoked: others of its organization have the same name
			continue
		}
		roots := local.MSP.Roots()
		slices.SortFunc(roots, slices.Compare)
		sum := sha256.Sum256(slices.Concat(roots...))
		names = append(names, topics.Name(topics.Organization, p.org.MSPID, sum[:]))
	}
	return slices.Compact(names)
}

// mark is in everything that the stranger makes up.
var mark = []byte("made up by the stranger")

// repertoire is what a stranger has to say.
type repertoire struct {
	gossip [][]byte                 // to pubsub
	weft   map[protocol.ID][][]byte // to weft's protocols
}

// repertoire makes all that there is to be tried at the moment.
func (s *stranger) repertoire() repertoire {
	r := repertoire{weft: map[protocol.ID][][]byte{}}
	say := func(id protocol.ID, m proto.Message) { r.weft[id] = append(r.weft[id], delimited(m)) }
	lies := map[string][][]byte{}
	for _, scope := range append(s.net.topicNames(), channelName, "") {
		lies[scope] = s.lies(scope)
		say(blocksync.Protocol.ID, &syncpb.Request{Scope: scope, From: 0, To: 20})
		say(blocksync.Protocol.ID, &syncpb.Request{Scope: scope, From: 3, To: 3})
		for _, data := range lies[scope] {
			say(topics.PushProtocol.ID, &topicspb.Push{Topic: scope, Data: data})
		}
		r.weft[relay.Protocol.ID] = append(r.weft[relay.Protocol.ID], s.stripes(scope, lies[scope])...)
	}
	for _, m := range s.intrusions(lies) {
		r.gossip = append(r.gossip, delimited(m))
	}
	if stolen, err := msp.IssueRecord(s.net.peers[0].key, s.local.Signer, 1, time.Now()); err == nil { // it may have expired
		say(weftHost.AuthProtocol.ID, &hostpb.AuthRequest{Record: stolen.Bytes()})
	}
	say(weftHost.AuthProtocol.ID, &hostpb.AuthRequest{Record: mark})
	return r
}

// intrude tries everything on one peer: it connects anew, grafts before anything else, authenticates, and asks on every
// protocol that the peer's host answers. In the end it comes back over a connection that the peer has dialed.
func (s *stranger) intrude(p *testPeer, r repertoire) {
	_ = s.host.Network().ClosePeer(p.host.ID())
	s.connect(p)
	gossip := func() {
		for _, id := range s.speaks {
			w := s.speak(p, id)
			for _, m := range r.gossip {
				_, _ = w.Write(m)
			}
		}
	}
	gossip()
	s.authenticate(p)
	gossip()
	for _, id := range p.host.Mux().Protocols() {
		for _, data := range r.sayings(id) {
			s.say(p, id, data)
		}
	}
	gossip()
	s.isDialed(p)
	s.authenticate(p)
}

// isDialed has a peer dial the stranger, as gossipsub does when somebody hangs up on it just after connecting.
func (s *stranger) isDialed(p *testPeer) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_ = p.host.Network().ClosePeer(s.host.ID())
	_ = p.host.Connect(ctx, peer.AddrInfo{ID: s.host.ID(), Addrs: s.host.Network().ListenAddresses()})
}

// sayings is what there is to say on a protocol: of one that this test has not heard of, whatever it has.
func (r repertoire) sayings(id protocol.ID) [][]byte {
	known, ok := r.weft[id]
	switch {
	case ok:
		return append([][]byte{nil, delimited(&topicspb.Push{Data: mark})}, known...)
	case !strings.HasPrefix(string(id), "/weft/"):
		return [][]byte{nil, mark}
	}
	var all [][]byte
	for _, sayings := range r.weft {
		all = append(all, sayings...)
	}
	return all
}

// intrusions are messages of pubsub: a hello for all topics, grafts, requests for every message that the members have sent
// each other, and lies.
func (s *stranger) intrusions(lies map[string][][]byte) []*pb.RPC {
	hello, control := &pb.RPC{}, &pb.ControlMessage{}
	yes := true
	var said []*pb.RPC
	for _, topic := range s.net.topicNames() {
		hello.Subscriptions = append(hello.Subscriptions, &pb.RPC_SubOpts{Subscribe: &yes, Topicid: &topic})
		control.Graft = append(control.Graft, &pb.ControlGraft{TopicID: &topic})
		control.Ihave = append(control.Ihave, &pb.ControlIHave{TopicID: &topic, MessageIDs: []string{string(mark[:20])}})
		control.Iwant = append(control.Iwant, &pb.ControlIWant{MessageIDs: s.net.messageIDs(topic)})
		for _, data := range lies[topic] {
			said = append(said, &pb.RPC{Publish: []*pb.Message{{Topic: &topic, Data: data}}})
		}
	}
	return append([]*pb.RPC{hello, {Control: control}}, said...)
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
