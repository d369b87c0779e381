// SPDX-License-Identifier: Apache-2.0

package topics_test

import (
	"bytes"
	"encoding/hex"
	"regexp"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/blocktest"
	"github.com/weft-p2p/weft/internal/leaves"
	"github.com/weft-p2p/weft/internal/spectest"
	"github.com/weft-p2p/weft/topics"
	"github.com/weft-p2p/weft/topics/pb"
)

func marshal(t testing.TB, m proto.Message) []byte {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	require.NoError(t, err)
	return raw
}

// plainBlock is a block that is the same on every run, with one transaction of about size bytes and n signatures of so many
// bytes, which nobody has made.
func plainBlock(t testing.TB, size, signatures, signatureBytes int) *common.Block {
	tx := marshal(t, &common.Envelope{Payload: bytes.Repeat([]byte("p"), size), Signature: []byte("s")})
	data := &common.BlockData{Data: [][]byte{tx}}
	signed := &common.Metadata{Value: marshal(t, &common.OrdererBlockMetadata{LastConfig: &common.LastConfig{Index: 3}})}
	for range signatures {
		signed.Signatures = append(signed.Signatures, &common.MetadataSignature{Signature: make([]byte, signatureBytes)})
	}
	return &common.Block{
		Header:   &common.BlockHeader{Number: 7, PreviousHash: bytes.Repeat([]byte{0x11}, 32), DataHash: block.DataHash(data)},
		Data:     data,
		Metadata: &common.BlockMetadata{Metadata: [][]byte{marshal(t, signed)}},
	}
}

func TestAnnouncementsAreThoseOfTheSpec(t *testing.T) {
	for name, b := range map[string]*common.Block{
		"inside": plainBlock(t, 40, 1, 8), "outside": plainBlock(t, topics.MaxInline, 1, 8), "parity": plainBlock(t, topics.MaxInline, 1, 8),
	} {
		t.Run(name, func(t *testing.T) {
			vector := regexp.MustCompile(`\n *` + name + `: *([0-9a-f]*)\n`).FindStringSubmatch(spectest.Page(t, "announcement.md"))
			require.Len(t, vector, 2)
			a, err := topics.Announce(b)
			require.NoError(t, err)
			if name == "parity" {
				require.NoError(t, a.Protect(3))
			}
			raw, err := a.Marshal()
			require.NoError(t, err)
			require.Equal(t, vector[1], hex.EncodeToString(raw))

			decoded, err := topics.DecodeAnnouncement(raw)
			require.NoError(t, err)
			require.EqualValues(t, 3, decoded.LastConfig)
			require.True(t, proto.Equal(b.Header, decoded.Header))
			require.Equal(t, a.Root, decoded.Root)
			require.Equal(t, a.BodySize, decoded.BodySize)
			require.Equal(t, a.Parity.Shards, decoded.Parity.Shards)
			require.Equal(t, a.Parity.Root, decoded.Parity.Root)
			if name != "inside" {
				require.Nil(t, decoded.Block())
				return
			}
			require.NoError(t, block.Normalize(b))
			require.True(t, proto.Equal(b, decoded.Block()))
		})
	}
}

func TestSmallBodiesTravelInside(t *testing.T) {
	size := func(n int) int { return proto.Size(plainBlock(t, n, 1, 8).Data) }
	n := topics.MaxInline
	for size(n) > topics.MaxInline {
		n--
	}
	require.Equal(t, topics.MaxInline, size(n))
	for extra, inside := range []bool{true, false} {
		a, err := topics.Announce(plainBlock(t, n+extra, 1, 8))
		require.NoError(t, err)
		require.Equal(t, inside, a.Data != nil)
		require.Equal(t, inside, a.Block() != nil)
	}
}

func TestAnnounceRefuses(t *testing.T) {
	for name, change := range map[string]func(*common.Block){
		"no metadata":      func(b *common.Block) { b.Metadata = nil },
		"genesis":          func(b *common.Block) { b.Header.Number = 0 },
		"short hash":       func(b *common.Block) { b.Header.PreviousHash = b.Header.PreviousHash[1:] },
		"bad signatures":   func(b *common.Block) { b.Metadata.Metadata[0] = []byte{0xff} },
		"last config late": func(b *common.Block) { b.Header.Number = 2 },
		"no header":        func(b *common.Block) { b.Header = nil },
	} {
		t.Run(name, func(t *testing.T) {
			b := plainBlock(t, 10, 1, 8)
			change(b)
			_, err := topics.Announce(b)
			require.ErrorIs(t, err, topics.ErrAnnouncement)
		})
	}
}

// TestMostThatIsAllowedFits announces the biggest that an announcement may be: it must fit into a message.
func TestMostThatIsAllowedFits(t *testing.T) {
	c := blocktest.New(t)
	m := c.Member(t, c.Org1, "peer1", "peer")
	a, err := topics.Announce(plainBlock(t, topics.MaxInline-200, topics.MaxSignatures, 1000))
	require.NoError(t, err)
	require.NotNil(t, a.Data)
	raw, err := a.Marshal()
	require.NoError(t, err)
	require.Less(t, len(m.Seal(t, topics.Purpose, "/weft/1/x", raw))+24<<10, topics.MaxMessage)
}

// altered is an announcement with something changed.
func altered(t *testing.T, change func(*pb.Announcement)) []byte {
	a, err := topics.Announce(plainBlock(t, 40, 1, 8))
	require.NoError(t, err)
	raw, err := a.Marshal()
	require.NoError(t, err)
	var m pb.Announcement
	require.NoError(t, proto.Unmarshal(raw, &m))
	change(&m)
	return marshal(t, &m)
}

// withBody makes body the announced one in every way.
func withBody(body []byte) func(*pb.Announcement) {
	return func(m *pb.Announcement) {
		root := leaves.Root(body)
		m.Body, m.BodySize, m.Root = body, uint64(len(body)), root[:]
		var d common.BlockData
		if proto.Unmarshal(body, &d) == nil {
			m.DataHash = block.DataHash(&d)
		}
	}
}

// withParity makes the body one of 8 KiB, outside, that has parity.
func withParity(shards uint32, root int) func(*pb.Announcement) {
	return func(m *pb.Announcement) {
		m.Body, m.BodySize, m.Parity, m.ParityRoot = nil, 8<<10, shards, make([]byte, root)
	}
}

func withSignatures(md *common.Metadata) func(*pb.Announcement) {
	return func(m *pb.Announcement) { m.Signatures, _ = proto.Marshal(md) }
}

func signatures(n, size int) *common.Metadata {
	md := &common.Metadata{}
	for range n {
		md.Signatures = append(md.Signatures, &common.MetadataSignature{Signature: make([]byte, size)})
	}
	return md
}

// entryOf is a metadata entry 0 of exactly so many bytes.
func entryOf(t *testing.T, bytes int) *common.Metadata {
	md := signatures(1, bytes)
	for proto.Size(md) > bytes {
		md.Signatures[0].Signature = md.Signatures[0].Signature[1:]
	}
	require.Equal(t, bytes, proto.Size(md))
	return md
}

func TestDecodeHoldsLimits(t *testing.T) {
	tx := marshal(t, &common.Envelope{Payload: []byte("p"), Signature: []byte("s")})
	body := marshal(t, &common.BlockData{Data: [][]byte{tx}})
	for name, c := range map[string]struct {
		change func(*pb.Announcement)
		ok     bool
	}{
		"unchanged":                   {func(*pb.Announcement) {}, true},
		"number 0":                    {func(m *pb.Announcement) { m.Number = 0 }, false},
		"highest number":              {func(m *pb.Announcement) { m.Number = 1<<64 - 1 }, true},
		"previous hash of 31 bytes":   {func(m *pb.Announcement) { m.PreviousHash = m.PreviousHash[:31] }, false},
		"previous hash of 33 bytes":   {func(m *pb.Announcement) { m.PreviousHash = append(m.PreviousHash, 0) }, false},
		"data hash of 31 bytes":       {func(m *pb.Announcement) { m.DataHash = m.DataHash[:31] }, false},
		"rule 0":                      {func(m *pb.Announcement) { m.Rule = 0 }, false},
		"rule 1":                      {func(m *pb.Announcement) { m.Rule = 1 }, false},
		"root of 31 bytes":            {func(m *pb.Announcement) { m.Root = m.Root[:31] }, false},
		"biggest body":                {func(m *pb.Announcement) { m.Body, m.BodySize = nil, topics.MaxBody }, true},
		"body one past it":            {func(m *pb.Announcement) { m.Body, m.BodySize = nil, topics.MaxBody+1 }, false},
		"body of 2^64-1":              {func(m *pb.Announcement) { m.Body, m.BodySize = nil, 1<<64-1 }, false},
		"most signatures":             {withSignatures(signatures(topics.MaxSignatures, 1)), true},
		"one signature more":          {withSignatures(signatures(topics.MaxSignatures+1, 1)), false},
		"most bytes in entry 0":       {withSignatures(entryOf(t, topics.MaxSignatureBytes)), true},
		"one byte more":               {withSignatures(entryOf(t, topics.MaxSignatureBytes+1)), false},
		"entry 0 is no metadata":      {func(m *pb.Announcement) { m.Signatures = []byte{0xff} }, false},
		"signed value is none":        {withSignatures(&common.Metadata{Value: []byte{0xff}}), false},
		"no signatures at all":        {func(m *pb.Announcement) { m.Signatures = nil }, true},
		"last config is the block":    {func(m *pb.Announcement) { m.Number = 3 }, true},
		"last config beyond it":       {func(m *pb.Announcement) { m.Number = 2 }, false},
		"parity":                      {withParity(1, 32), true},
		"a fourth of parity":          {withParity(2, 32), true},
		"more parity":                 {withParity(3, 32), false},
		"parity without a root":       {withParity(1, 0), false},
		"root of parity of 31 bytes":  {withParity(1, 31), false},
		"root of no parity":           {withParity(0, 32), false},
		"parity of 2^32-1":            {withParity(1<<32-1, 32), false},
		"parity of the biggest":       {func(m *pb.Announcement) { withParity(1, 32)(m); m.BodySize = topics.MaxProtected }, true},
		"parity of a huge body":       {func(m *pb.Announcement) { withParity(1, 32)(m); m.BodySize = topics.MaxProtected + 1 }, false},
		"body not the size":           {func(m *pb.Announcement) { m.BodySize++ }, false},
		"body not the root":           {func(m *pb.Announcement) { m.Body[5] ^= 1 }, false},
		"body not the header's":       {func(m *pb.Announcement) { m.DataHash[0] ^= 1 }, false},
		"another good body":           {withBody(body), true},
		"body without transactions":   {withBody([]byte{0x0a, 0x00}), false},
		"body with an unknown field":  {withBody(append(bytes.Clone(body), 0x10, 0x01)), false},
		"body is not protobuf":        {withBody([]byte{0xff}), false},
		"body with a moved boundary":  {withBody(marshal(t, &common.BlockData{Data: [][]byte{tx[:3], tx[3:]}})), false},
		"body above what goes inside": {withBody(plainData(t, topics.MaxInline)), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := topics.DecodeAnnouncement(altered(t, c.change))
			if c.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, topics.ErrAnnouncement)
		})
	}
	_, err := topics.DecodeAnnouncement([]byte{0xff})
	require.ErrorIs(t, err, topics.ErrAnnouncement)
	_, err = topics.DecodeAnnouncement(nil)
	require.ErrorIs(t, err, topics.ErrAnnouncement)
}

func plainData(t *testing.T, size int) []byte { return marshal(t, plainBlock(t, size, 0, 0).Data) }

func FuzzDecodeAnnouncement(f *testing.F) {
	for _, size := range []int{0, 40, topics.MaxInline} {
		a, err := topics.Announce(plainBlock(f, size+1, 2, 70))
		require.NoError(f, err)
		raw, err := a.Marshal()
		require.NoError(f, err)
		f.Add(raw)
		f.Add(raw[:len(raw)/2])
		if a.Protect(1) == nil {
			raw, err = a.Marshal()
			require.NoError(f, err)
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		a, err := topics.DecodeAnnouncement(content)
		if err != nil {
			require.ErrorIs(t, err, topics.ErrAnnouncement)
			require.Nil(t, a)
			return
		}
		raw, err := a.Marshal()
		require.NoError(t, err)
		again, err := topics.DecodeAnnouncement(raw)
		require.NoError(t, err)
		require.True(t, proto.Equal(a.Header, again.Header))
		require.Equal(t, a.Root, again.Root)
		require.Equal(t, a.Parity, again.Parity)
		require.LessOrEqual(t, a.Parity.Size(), a.BodySize/4)
		require.Equal(t, a.Signatures, again.Signatures)
		if b := a.Block(); b != nil {
			require.Equal(t, a.Header.DataHash, block.DataHash(b.Data))
			require.LessOrEqual(t, proto.Size(b.Data), topics.MaxInline)
			require.True(t, proto.Equal(b, again.Block()))
		}
	})
}
