// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
	msppb "github.com/weft-p2p/weft/msp/pb"
	"github.com/weft-p2p/weft/topics"
)

// hat is a host of the forger. Each kind of forgery has one, with an identity of its own, so that what is held against one kind
// keeps no other from being judged.
type hat struct {
	*stranger
	random   *rand.Rand
	sequence atomic.Uint64
	accomplices
	audience []*testPeer // whom it is connected to: every second peer
	speech   sync.Map    // *testPeer -> io.Writer
}

// accomplices are identities that have no say in the channel.
type accomplices struct {
	alien   *devnet.Node         // of an organization that nobody knows
	retired *msp.SigningIdentity // of the ordering organization: revoked
}

// newHat makes a host of an organization, of an outsider if that is nil, and connects it to every second peer.
func (n *testNet) newHat(number int, org *devnet.Org, with accomplices) *hat {
	if org == nil {
		org = n.newOrg("Strangers")
	}
	h := &hat{stranger: n.newStranger(number, org, pubsub.GossipSubID_v13), random: n.Rand(uint64(number)), accomplices: with}
	for _, p := range n.peers {
		if p.number%2 == number%2 {
			h.audience = append(h.audience, p)
		}
	}
	h.each(h.connect)
	return h
}

// each calls do for all peers that the hat is connected to, at once.
func (h *hat) each(do func(*testPeer)) {
	var wg sync.WaitGroup
	for _, p := range h.audience {
		wg.Go(func() { do(p) })
	}
	wg.Wait()
}

// gossip sends messages on a topic to a peer's pubsub, all in one RPC.
func (h *hat) gossip(p *testPeer, topic string, messages [][]byte) {
	w, ok := h.speech.Load(p)
	if !ok {
		w = h.speak(p, pubsub.GossipSubID_v13)
		h.speech.Store(p, w)
	}
	rpc := &pb.RPC{}
	for _, data := range messages {
		rpc.Publish = append(rpc.Publish, &pb.Message{Topic: &topic, Data: data})
	}
	_, err := w.(io.Writer).Write(delimited(rpc))
	require.NoError(h.net.t, err)
}

// ask opens a stream, says something, and returns what is answered and the code with which the stream was reset.
func (s *stranger) ask(p *testPeer, id protocol.ID, data []byte) ([]byte, network.StreamErrorCode) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	s.connect(p)
	raw, err := s.host.NewStream(ctx, p.host.ID(), id)
	if err != nil {
		return nil, network.StreamCodeOutOfRange
	}
	_ = raw.SetDeadline(time.Now().Add(12 * time.Second))
	_, _ = raw.Write(data)
	_ = raw.CloseWrite()
	answer, err := io.ReadAll(raw)
	_ = raw.Reset()
	var reset *network.StreamError
	if errors.As(err, &reset) {
		return answer, reset.ErrorCode
	}
	var ended *network.ConnError
	if errors.As(err, &ended) { // thrown out, the reset has not come any more
		return answer, network.StreamProtocolViolation
	}
	return answer, network.StreamNoError
}

// channelTopic is one of the two topics of the channel.
func (n *testNet) channelTopic(kind topics.Kind) string {
	return topics.Name(kind, channelName, block.HeaderHash(n.genesis.Header))
}

// sealed seals an announcement, or whatever is to pass for one, as the hat.
func (h *hat) sealed(content []byte) []byte {
	return h.sealedAs(topics.Purpose, h.net.channelTopic(topics.Announcements), content)
}

func (h *hat) sealedAs(purpose, scope string, content []byte) []byte {
	raw, err := msp.Seal(purpose, scope, h.record, h.local.Signer, content)
	require.NoError(h.net.t, err)
	return raw
}

// under is a control message with somebody's record, which the signer has no key for.
func under(record *msp.Record, by *msp.SigningIdentity, purpose, scope string, content []byte) []byte {
	digest := record.Digest()
	signature, err := by.Sign(framed([]byte("weft/control/1"), []byte(purpose), []byte(scope), digest[:], content))
	if err != nil {
		panic(err) // the key is in memory
	}
	return encoded(&msppb.ControlMessage{Record: record.Bytes(), Content: content, Signature: signature})
}

// framed is what is signed of fields: docs/spec/member-record.md.
func framed(fields ...[]byte) (out []byte) {
	for _, f := range fields {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(f))), f...)
	}
	return out
}

func encoded(m proto.Message) []byte {
	raw, err := proto.Marshal(m)
	if err != nil {
		panic(err) // nothing that a test makes
	}
	return raw
}

// sealedFor seals content as the alien, who says that it belongs to some organization.
func (h *hat) sealedFor(mspID, purpose, scope string, content []byte) []byte {
	by := h.alienOf(mspID)
	record, err := msp.IssueRecord(h.key, by, h.random.Uint64N(1<<62)+1, time.Now())
	require.NoError(h.net.t, err)
	raw, err := msp.Seal(purpose, scope, record, by, content)
	require.NoError(h.net.t, err)
	return raw
}

func (h *hat) alienOf(mspID string) *msp.SigningIdentity {
	by, err := msp.NewSigningIdentity(mspID, h.alien.CertPEM(), h.alien.Key)
	require.NoError(h.net.t, err)
	return by
}

// reissued is the hat's own record with something changed, signed by its MSP key and its host key.
func (h *hat) reissued(change func(*msppb.MemberRecordContent)) []byte {
	m, c := &msppb.MemberRecord{}, &msppb.MemberRecordContent{}
	require.NoError(h.net.t, proto.Unmarshal(h.record.Bytes(), m))
	require.NoError(h.net.t, proto.Unmarshal(m.Content, c))
	c.Incarnation = h.random.Uint64N(1<<62) + 1
	change(c)
	m.Content = encoded(c)
	var err error
	m.MspSignature, err = h.local.Signer.Sign(framed([]byte("weft/record/1"), m.Content))
	require.NoError(h.net.t, err)
	m.HostSignature, err = h.key.Sign(framed([]byte("weft/record/1/host"), m.Content, m.MspSignature))
	require.NoError(h.net.t, err)
	return encoded(m)
}

// hostKeyOf is the public host key of an honest peer, as it is in records.
func (h *hat) hostKeyOf(p *testPeer) []byte {
	raw, err := crypto.MarshalPublicKey(p.key.GetPublic())
	require.NoError(h.net.t, err)
	return raw
}

// announced is the content of the announcement of a block, altered.
func (h *hat) announced(a *topics.Announcement) []byte {
	content, err := a.Marshal()
	require.NoError(h.net.t, err)
	return content
}

// recordOf is the member record of an honest peer.
func (h *hat) recordOf(p *testPeer) *msp.Record {
	for _, other := range h.net.peers {
		for _, m := range other.channel.Members() {
			if m.ID == p.host.ID() {
				return m.Record
			}
		}
	}
	require.Fail(h.net.t, "nobody knows the peer")
	return nil
}

// beat is a heartbeat of a member at the present height; nobody has said anything that is not so in it.
func (h *hat) beat() membership.Heartbeat {
	height := h.net.orderer.Height()
	return membership.Heartbeat{Sequence: h.sequence.Add(1), Channels: []membership.ChannelState{{
		Scope: h.net.channelTopic(topics.Announcements), Height: height, HeadHash: block.HeaderHash(h.net.ordered(height - 1).Header),
	}}}
}

func (h *hat) beaten(b membership.Heartbeat) []byte {
	content, err := b.Marshal()
	require.NoError(h.net.t, err)
	return content
}

// bytes are random.
func (h *hat) bytes(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(h.random.Uint32())
	}
	return out
}

// flipped has one bit of something changed.
func (h *hat) flipped(b []byte) []byte {
	b = bytes.Clone(b)
	b[h.random.IntN(len(b))] ^= 1 << h.random.IntN(8)
	return b
}
