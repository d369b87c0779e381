// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bufio"
	"bytes"
	"math"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync"
	syncpb "github.com/weft-p2p/weft/blocksync/pb"
	weftHost "github.com/weft-p2p/weft/host"
	hostpb "github.com/weft-p2p/weft/host/pb"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
	msppb "github.com/weft-p2p/weft/msp/pb"
	"github.com/weft-p2p/weft/topics"
	topicspb "github.com/weft-p2p/weft/topics/pb"
)

// forgedStream is a kind of thing to say on a stream of one of weft's protocols, and how the peer has to end it: with a status,
// or by a reset with a code.
type forgedStream struct {
	name     string
	outsider bool
	protocol protocol.ID
	outcome  string
	make     func(h *hat, p *testPeer) []byte
}

// How a stream may end, besides the statuses in answers.
const (
	violated = "violation" // reset: no honest peer says that
	gated    = "gated"     // reset: who is not authenticated, or may not speak, is not listened to
	closed   = "closed"    // in good order, without an answer
)

func outcomeOf(id protocol.ID, answer []byte, code network.StreamErrorCode) string {
	switch {
	case code == network.StreamProtocolViolation:
		return violated
	case code == network.StreamGated:
		return gated
	case code != network.StreamNoError:
		return (&network.StreamError{ErrorCode: code}).Error()
	case len(answer) == 0:
		return closed
	}
	var m interface {
		proto.Message
		status() string
	}
	if m = (&authAnswer{}); id == blocksync.Protocol.ID {
		m = &syncAnswer{}
	}
	if err := protodelim.UnmarshalFrom(bufio.NewReader(bytes.NewReader(answer)), m); err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(m.status(), "STATUS_")
}

type authAnswer struct{ hostpb.AuthResponse }

func (a *authAnswer) status() string { return a.Status.String() }

type syncAnswer struct{ syncpb.Response }

func (a *syncAnswer) status() string { return a.Status.String() }

var onAuth, onSync, onPush = weftHost.AuthProtocol.ID, blocksync.Protocol.ID, topics.PushProtocol.ID

var forgedStreams = []forgedStream{
	{"push of an outsider", true, onPush, gated, func(h *hat, _ *testPeer) []byte { return h.pushed(h.sealed(h.announced(h.next()))) }},
	{"push on an unknown topic", false, onPush, gated, func(h *hat, _ *testPeer) []byte {
		return delimited(&topicspb.Push{Topic: "/weft/1/" + strings.Repeat("a", h.random.IntN(40)), Data: h.bytes(50)})
	}},
	{"push of garbage", false, onPush, violated, func(h *hat, _ *testPeer) []byte { return append([]byte{101, 0xff}, h.bytes(100)...) }},
	{"push above the limit", false, onPush, violated, func(h *hat, _ *testPeer) []byte {
		return append(protowire.AppendVarint(nil, 1<<20+1+h.random.Uint64N(1<<30)), h.bytes(10)...)
	}},
	{"push without an end of its length", false, onPush, violated, func(h *hat, _ *testPeer) []byte { return bytes.Repeat([]byte{0xff}, 9) }},
	{"push with a topic above the limit", false, onPush, violated, func(h *hat, _ *testPeer) []byte {
		return delimited(&topicspb.Push{Topic: strings.Repeat("b", topics.MaxTopic+1), Data: h.bytes(10)})
	}},
	{"push of a forged block's announcement", false, onPush, violated, func(h *hat, _ *testPeer) []byte { return h.pushed(h.sealed(h.announced(h.next()))) }},
	{"push under a stolen record", false, onPush, violated, func(h *hat, _ *testPeer) []byte {
		return h.pushed(under(h.recordOf(h.somebody()), h.local.Signer, topics.Purpose, h.net.channelTopic(topics.Announcements), h.announced(h.next())))
	}},

	{"authentication of an outsider", true, onAuth, "UNKNOWN", func(h *hat, _ *testPeer) []byte {
		return h.shown(h.reissued(func(*msppb.MemberRecordContent) {}))
	}},
	{"authentication with a record that somebody else has shown", true, onAuth, violated, func(h *hat, p *testPeer) []byte {
		return h.shown(h.recordOf(h.net.peers[(p.number+1+h.random.IntN(11))%12]).Bytes())
	}},
	{"authentication with somebody else's host key", true, onAuth, violated, func(h *hat, _ *testPeer) []byte {
		return h.shown(h.reissued(func(c *msppb.MemberRecordContent) { c.HostKey = h.hostKeyOf(h.somebody()) }))
	}},
	{"authentication in the name of another organization", true, onAuth, "UNKNOWN", func(h *hat, _ *testPeer) []byte {
		record, err := msp.IssueRecord(h.key, h.alienOf("Org1MSP"), h.random.Uint64N(1<<62)+1, time.Now())
		require.NoError(h.net.t, err)
		return h.shown(record.Bytes())
	}},
	{"authentication with a bit flipped", true, onAuth, violated, func(h *hat, _ *testPeer) []byte {
		raw := h.reissued(func(*msppb.MemberRecordContent) {})
		raw[len(raw)-1-h.random.IntN(60)] ^= 1 // in the host's signature
		return h.shown(raw)
	}},
	{"authentication with garbage", true, onAuth, violated, func(h *hat, _ *testPeer) []byte { return h.shown(append([]byte{0xff}, h.bytes(300)...)) }},

	{"request of an outsider", true, onSync, gated, func(h *hat, _ *testPeer) []byte { return h.requested(1, 3) }},
	{"request for a range that ends before it begins", false, onSync, "BAD_REQUEST", func(h *hat, _ *testPeer) []byte { return h.requested(2+h.random.Uint64N(1<<60), 1) }},
	{"request for everything", false, onSync, "BAD_REQUEST", func(h *hat, _ *testPeer) []byte { return h.requested(h.random.Uint64N(1000), math.MaxUint64) }},
	{"request for what nobody has", false, onSync, "NOT_FOUND", func(h *hat, _ *testPeer) []byte {
		from := 1<<40 + h.random.Uint64N(1<<40)
		return h.requested(from, from)
	}},
	{"request for a channel that is not there", false, onSync, "UNAUTHORIZED", func(h *hat, _ *testPeer) []byte {
		return delimited(&syncpb.Request{Scope: topics.Name(topics.Announcements, "nowhere", h.bytes(32)), From: 1, To: 2})
	}},
	{"request with a scope above the limit", false, onSync, "BAD_REQUEST", func(h *hat, _ *testPeer) []byte {
		return delimited(&syncpb.Request{Scope: strings.Repeat("c", blocksync.MaxScope+1+h.random.IntN(99)), To: 1})
	}},
	{"request that is garbage", false, onSync, violated, func(h *hat, _ *testPeer) []byte { return append([]byte{101, 0xff}, h.bytes(100)...) }},
	{"request above the limit", false, onSync, violated, func(h *hat, _ *testPeer) []byte {
		return append(protowire.AppendVarint(nil, 1<<20+h.random.Uint64N(1<<30)), h.bytes(10)...)
	}},
}

func (h *hat) pushed(message []byte) []byte {
	return delimited(&topicspb.Push{Topic: h.net.channelTopic(topics.Announcements), Data: message})
}

func (h *hat) shown(record []byte) []byte { return delimited(&hostpb.AuthRequest{Record: record}) }

func (h *hat) requested(from, to uint64) []byte {
	return delimited(&syncpb.Request{Scope: h.net.channelTopic(topics.Announcements), From: from, To: to})
}

// claim tells a peer by a push that the hat has more blocks than there are, and leads.
func (h *hat) claim(p *testPeer) {
	b := h.beat()
	b.Channels[0].Height += 3
	b.Channels[0].Leader = true
	h.ask(p, topics.PushProtocol.ID, delimited(&topicspb.Push{Topic: h.net.channelTopic(topics.Members), Data: h.sealedAs(membership.Purpose, h.net.channelTopic(topics.Members), h.beaten(b))}))
}
