// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"slices"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/membership"
	memberpb "github.com/weft-p2p/weft/membership/pb"
	msppb "github.com/weft-p2p/weft/msp/pb"
	"github.com/weft-p2p/weft/topics"
	topicspb "github.com/weft-p2p/weft/topics/pb"
)

// The verdicts of a pubsub on a message, as a tap hears them.
const (
	rejected  = "rejected"
	ignored   = "ignored"
	unheard   = "unheard" // it did not get as far as a verdict
	delivered = "delivered"
)

// forgedMessage is a kind of message for a topic of the channel. reasons are the rows of the verdict table that may decide;
// none for heartbeats, which are not counted by reason.
type forgedMessage struct {
	name     string
	outsider bool
	verdict  string
	reasons  []topics.Reason
	make     func(h *hat) []byte
}

// forgedAnnouncements says all that is wrong with an announcement, but for the block.
var forgedAnnouncements = []forgedMessage{
	{"of an outsider", true, unheard, nil, func(h *hat) []byte {
		return h.sealed(h.announced(h.announcement(h.signed(h.successor(), h.orderer()))))
	}},
	{"garbage", false, rejected, badAnnouncer, func(h *hat) []byte { return append([]byte{0xff}, h.bytes(300)...) }},
	{"a bit of it flipped", false, rejected, badAnnouncer, func(h *hat) []byte {
		raw := h.sealed(h.announced(h.next()))
		raw[len(raw)-1-h.random.IntN(60)] ^= 1 // in the signature
		return raw
	}},
	{"under a stolen record", false, rejected, badAnnouncer, func(h *hat) []byte {
		return under(h.recordOf(h.somebody()), h.local.Signer, topics.Purpose, h.net.channelTopic(topics.Announcements), h.announced(h.next()))
	}},
	{"record swapped", false, rejected, badAnnouncer, func(h *hat) []byte {
		m := &msppb.ControlMessage{}
		require.NoError(h.net.t, proto.Unmarshal(h.sealed(h.announced(h.next())), m))
		m.Record = h.recordOf(h.somebody()).Bytes()
		return encoded(m)
	}},
	{"record with somebody else's host key", false, rejected, badAnnouncer, func(h *hat) []byte {
		record := h.reissued(func(c *msppb.MemberRecordContent) { c.HostKey = h.hostKeyOf(h.somebody()) })
		return encoded(&msppb.ControlMessage{Record: record, Content: h.announced(h.next()), Signature: h.bytes(70)})
	}},
	{"record expired", false, ignored, badAnnouncer, func(h *hat) []byte {
		record := h.reissued(func(c *msppb.MemberRecordContent) { c.Expiry = time.Now().Add(-time.Hour).Unix() })
		return encoded(&msppb.ControlMessage{Record: record, Content: h.announced(h.next()), Signature: h.bytes(70)})
	}},
	{"replayed from another channel's topic", false, rejected, badAnnouncer, func(h *hat) []byte {
		return h.sealedAs(topics.Purpose, topics.Name(topics.Announcements, otherChannel, make([]byte, 32)), h.announced(h.next()))
	}},
	{"with the purpose of a heartbeat", false, rejected, badAnnouncer, func(h *hat) []byte {
		return h.sealedAs(membership.Purpose, h.net.channelTopic(topics.Announcements), h.announced(h.next()))
	}},
	{"in the name of another organization", false, ignored, []topics.Reason{topics.UnknownMember, topics.RefusedMember}, func(h *hat) []byte {
		return h.sealedFor("Org1MSP", topics.Purpose, h.net.channelTopic(topics.Announcements), h.announced(h.next()))
	}},
	{"of an unknown organization", false, ignored, []topics.Reason{topics.UnknownMember}, func(h *hat) []byte {
		return h.sealedFor(h.alien.Org.MSPID, topics.Purpose, h.net.channelTopic(topics.Announcements), h.announced(h.next()))
	}},
	{"a false root", false, ignored, caught, func(h *hat) []byte {
		a := h.bare(h.last())
		copy(a.Root[:], h.bytes(32))
		return h.sealed(h.announced(a))
	}},
	{"a wrong size", false, ignored, caught, func(h *hat) []byte {
		a := h.bare(h.last())
		a.BodySize += 1 + h.random.IntN(1000)
		return h.sealed(h.announced(a))
	}},
	{"a body that does not fit", false, rejected, []topics.Reason{topics.Malformed, topics.Distrusted}, func(h *hat) []byte { return h.misfit(func(m *topicspb.Announcement) { m.Body = h.flipped(m.Body) }) }},
	{"a body above the limit", false, rejected, malformed, func(h *hat) []byte {
		return h.misfit(func(m *topicspb.Announcement) { m.Body = h.bytes(topics.MaxInline + 1) })
	}},
	{"an unknown cutting rule", false, rejected, malformed, func(h *hat) []byte {
		return h.misfit(func(m *topicspb.Announcement) { m.Rule += 1 + h.random.Uint32N(99) })
	}},
	{"a hash cut short", false, rejected, malformed, func(h *hat) []byte {
		return h.misfit(func(m *topicspb.Announcement) { m.PreviousHash = h.bytes(h.random.IntN(32)) })
	}},
	{"too many signatures", false, rejected, malformed, func(h *hat) []byte {
		b := h.reworked(h.signed(h.successor()), func(m *common.Metadata) {
			m.Signatures = slices.Repeat([]*common.MetadataSignature{{Signature: h.bytes(8)}}, topics.MaxSignatures+1)
		})
		return h.misfit(func(m *topicspb.Announcement) { m.Signatures = b.Metadata.Metadata[0] })
	}},
	{"a last_config beyond its number", false, rejected, malformed, func(h *hat) []byte {
		return h.misfit(func(m *topicspb.Announcement) {
			m.Signatures = encoded(&common.Metadata{Value: encoded(&common.OrdererBlockMetadata{LastConfig: &common.LastConfig{Index: m.Number + 1 + h.random.Uint64N(1<<40)}})})
		})
	}},
	{"the genesis block", false, rejected, malformed, func(h *hat) []byte {
		return h.misfit(func(m *topicspb.Announcement) { m.Number, m.Root = 0, h.bytes(32) })
	}},
	{"far ahead", false, ignored, []topics.Reason{topics.TooFarAhead}, func(h *hat) []byte {
		return h.elsewhere(topics.Window+100+h.random.Uint64N(1<<50), h.bytes(32))
	}},
	{"behind no header that is known", false, ignored, []topics.Reason{topics.Unlinked}, func(h *hat) []byte { return h.elsewhere(1+h.random.Uint64N(100), h.bytes(32)) }},
	{"next, behind another block", false, ignored, []topics.Reason{topics.OtherChain}, func(h *hat) []byte { return h.elsewhere(0, h.bytes(32)) }},
	{"another block for an old number", false, ignored, []topics.Reason{topics.Fork}, func(h *hat) []byte {
		b := h.successor()
		b.Header.Number = h.net.orderer.Bundle().Number() + 1
		b.Header.PreviousHash = block.HeaderHash(h.net.ordered(b.Header.Number - 1).Header)
		return h.sealed(h.announced(h.announcement(h.signed(b, h.local.Signer))))
	}},
}

var (
	badAnnouncer = []topics.Reason{topics.BadAnnouncer}
	malformed    = []topics.Reason{topics.Malformed}
	caught       = []topics.Reason{topics.Known, topics.Distrusted}
)

// forgedHeartbeats are for the channel's topic of members.
var forgedHeartbeats = []forgedMessage{
	{"of an outsider", true, unheard, nil, func(h *hat) []byte { return h.pulse(h.beaten(h.beat())) }},
	{"garbage", false, rejected, nil, func(h *hat) []byte { return append([]byte{0xff}, h.bytes(200)...) }},
	{"under a stolen record", false, rejected, nil, func(h *hat) []byte {
		return under(h.recordOf(h.somebody()), h.local.Signer, membership.Purpose, h.net.channelTopic(topics.Members), h.beaten(h.beat()))
	}},
	{"goodbye in somebody else's name", false, rejected, nil, func(h *hat) []byte {
		goodbye := h.beaten(membership.Heartbeat{Sequence: 1 << 40, Leaving: true})
		return under(h.recordOf(h.somebody()), h.local.Signer, membership.Purpose, h.net.channelTopic(topics.Members), goodbye)
	}},
	{"leadership of somebody else", false, rejected, nil, func(h *hat) []byte {
		b := h.beat()
		b.Channels[0].Leader = true
		return under(h.recordOf(h.somebody()), h.local.Signer, membership.Purpose, h.net.channelTopic(topics.Members), h.beaten(b))
	}},
	{"replayed", false, ignored, nil, func(h *hat) []byte {
		var heard [][]byte
		for _, p := range h.net.peers {
			heard = append(heard, p.tap.messages(h.net.channelTopic(topics.Members))...)
		}
		return protowire.AppendBytes(protowire.AppendTag(slices.Clone(heard[h.random.IntN(len(heard))]), 999, protowire.BytesType), h.bytes(8))
	}},
	{"replayed from an organization's topic", false, rejected, nil, func(h *hat) []byte {
		return h.sealedAs(membership.Purpose, h.net.topicNames()[2], h.beaten(h.beat()))
	}},
	{"a sequence that goes back", false, ignored, nil, func(h *hat) []byte {
		if h.sequence.Load() < 1<<40 { // nobody can object to a leap
			h.sequence.Store(1 << 40)
			first := h.pulse(h.beaten(h.beat()))
			h.each(func(p *testPeer) { h.gossip(p, h.net.channelTopic(topics.Members), [][]byte{first}) })
			time.Sleep(100 * time.Millisecond)
		}
		b := h.beat()
		b.Sequence = h.random.Uint64N(1<<40) + 1
		return h.pulse(h.beaten(b))
	}},
	{"leadership of an unknown organization", false, ignored, nil, func(h *hat) []byte {
		b := h.beat()
		b.Channels[0].Leader = true
		return h.sealedFor(h.alien.Org.MSPID, membership.Purpose, h.net.channelTopic(topics.Members), h.beaten(b))
	}},
	{"addresses of somebody else", false, rejected, nil, func(h *hat) []byte {
		return h.absurd(func(m *memberpb.Heartbeat) {
			m.Addrs = append(m.Addrs, ma.StringCast("/ip4/10.0.0.1/tcp/7061/p2p/"+h.somebody().host.ID().String()).Bytes())
		})
	}},
	{"too many addresses", false, rejected, nil, func(h *hat) []byte {
		return h.absurd(func(m *memberpb.Heartbeat) {
			m.Addrs = slices.Repeat([][]byte{ma.StringCast("/ip4/10.0.0.1/tcp/7061").Bytes()}, membership.MaxAddrs+1)
		})
	}},
	{"one channel twice", false, rejected, nil, func(h *hat) []byte {
		return h.absurd(func(m *memberpb.Heartbeat) { m.Channels = append(m.Channels, m.Channels[0]) })
	}},
	{"a configuration above its height", false, rejected, nil, func(h *hat) []byte {
		return h.absurd(func(m *memberpb.Heartbeat) { m.Channels[0].Config = m.Channels[0].Height + h.random.Uint64N(1<<40) })
	}},
}

// somebody is an honest peer.
func (h *hat) somebody() *testPeer { return h.net.peers[h.random.IntN(len(h.net.peers))] }

// next is the announcement of a block that is not there yet and that nobody has signed.
func (h *hat) next() *topics.Announcement { return h.announcement(h.signed(h.successor())) }

// last is the newest block that everybody has known for a while.
func (h *hat) last() *common.Block { return h.net.ordered(h.net.orderer.Height() - 2) }

// misfit announces the next block, with something changed that no configuration excuses.
func (h *hat) misfit(change func(*topicspb.Announcement)) []byte {
	m := &topicspb.Announcement{}
	require.NoError(h.net.t, proto.Unmarshal(h.announced(h.next()), m))
	change(m)
	return h.sealed(encoded(m))
}

// elsewhere announces a block so far above the next one, behind a block that nobody has.
func (h *hat) elsewhere(above uint64, previous []byte) []byte {
	b := h.successor()
	b.Header.Number += above
	b.Header.PreviousHash = previous
	return h.sealed(h.announced(h.announcement(h.signed(b, h.local.Signer))))
}

func (h *hat) pulse(content []byte) []byte {
	return h.sealedAs(membership.Purpose, h.net.channelTopic(topics.Members), content)
}

// absurd is a heartbeat with something changed that no member says.
func (h *hat) absurd(change func(*memberpb.Heartbeat)) []byte {
	m := &memberpb.Heartbeat{}
	require.NoError(h.net.t, proto.Unmarshal(h.beaten(h.beat()), m))
	change(m)
	return h.pulse(encoded(m))
}
