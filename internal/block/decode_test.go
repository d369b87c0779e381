// SPDX-License-Identifier: Apache-2.0

package block_test

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
)

// delivered is a block as an orderer sends it.
func delivered() *common.Block {
	entry0 := marshal(&common.Metadata{
		Value: marshal(&common.OrdererBlockMetadata{LastConfig: &common.LastConfig{Index: 3}}),
		Signatures: []*common.MetadataSignature{
			{SignatureHeader: marshal(&common.SignatureHeader{Creator: []byte("orderer"), Nonce: []byte("n")}), Signature: []byte("s1")},
			{IdentifierHeader: marshal(&common.IdentifierHeader{Identifier: 2}), Signature: []byte("s2")},
		},
	})
	b := withMetadata(entry0, []byte{0x0a, 0x02, 0x08, 3}, []byte{}, []byte{}, []byte{})
	b.Header = &common.BlockHeader{Number: 300, PreviousHash: []byte("previous"), DataHash: []byte("data")}
	b.Data = &common.BlockData{Data: [][]byte{[]byte("tx1"), {}, []byte("tx3")}}
	return b
}

// within says whether part lies in whole.
func within(whole, part []byte) bool {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(part))) - uintptr(unsafe.Pointer(unsafe.SliceData(whole)))
	return at < uintptr(len(whole))
}

// A block lies in the bytes that it was read from only if it accounts for each of them: nobody can make it hold on to more.
func TestDecodeInPlace(t *testing.T) {
	raw := marshal(delivered())
	filled := delivered()
	filled.Metadata.Metadata[2] = []byte("a peer's filter")
	tests := map[string]struct {
		raw     []byte
		inPlace bool
	}{
		"as an orderer sends it":         {raw, true},
		"with a field nobody knows":      {slices.Concat(raw, []byte{0x4a, 1, 'x'}), false},
		"with a second header":           {slices.Concat(raw, []byte{0x0a, 0}), false},
		"with a number twice":            {slices.Concat([]byte{0x0a, 4, 0x08, 1, 0x08, 1}, []byte{0x12, 3, 0x0a, 1, 'x'}), false},
		"with a length in its long form": {[]byte{0x12, 0x84, 0, 0x0a, 2, 't', 'x'}, false},
		"with what a peer wrote":         {marshal(filled), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := block.Decode(slices.Clone(tt.raw))
			require.NoError(t, err)
			want := &common.Block{}
			require.NoError(t, proto.Unmarshal(tt.raw, want))
			require.True(t, proto.Equal(want, b))

			b, err = block.Decode(tt.raw)
			require.NoError(t, err)
			require.Equal(t, tt.inPlace, within(tt.raw, b.GetData().GetData()[0]))
		})
	}
}

// Whoever appends to a part of a block does not write into the next part.
func TestDecodedPartsEndWhereTheyEnd(t *testing.T) {
	b, err := block.Decode(marshal(delivered()))
	require.NoError(t, err)
	_ = append(b.Data.Data[0], "overwritten"...)
	_ = append(b.Header.PreviousHash, "overwritten"...)
	require.True(t, proto.Equal(delivered(), b))
}

func FuzzDecode(f *testing.F) {
	whole := marshal(delivered())
	f.Add(whole)
	f.Add(slices.Concat(whole, whole))
	f.Add(marshal(&common.Block{Header: &common.BlockHeader{}, Data: &common.BlockData{}, Metadata: &common.BlockMetadata{}}))
	f.Add([]byte{0x0a, 3, 0x1a, 1, 'h', 0x12, 5, 0x0a, 0, 0x0a, 1, 't'})
	f.Fuzz(func(t *testing.T, raw []byte) {
		want := &common.Block{}
		unreadable := proto.Unmarshal(raw, want)
		got, err := block.Decode(slices.Clone(raw))
		require.Equal(t, unreadable == nil, err == nil)
		if err == nil {
			require.True(t, proto.Equal(want, got))
			require.Equal(t, marshal(want), marshal(got))
		}
	})
}

// FuzzDecodeData: what is accepted is what protobuf would write, and all of that is.
func FuzzDecodeData(f *testing.F) {
	f.Add(marshal(delivered().Data))
	f.Add([]byte{})
	f.Add([]byte{0x0a, 0x82, 0, 't', 'x'})
	f.Add([]byte{0x8a, 0, 2, 't', 'x'})
	f.Add([]byte{0x0a, 2, 't', 'x', 0x12, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		want := &common.BlockData{}
		canonical := proto.Unmarshal(raw, want) == nil && len(want.ProtoReflect().GetUnknown()) == 0 && slices.Equal(raw, marshal(want))
		got, ok := block.DecodeData(raw)
		require.Equal(t, canonical, ok)
		if ok {
			require.True(t, proto.Equal(want, got))
		}
	})
}

// FuzzDecodeSignatures holds what is read in place against protobuf: metadata entry 0, the creators and consenters in it.
func FuzzDecodeSignatures(f *testing.F) {
	f.Add(delivered().Metadata.Metadata[0])
	f.Add([]byte{0x12, 4, 0x0a, 2, 0xff, 0xff})
	f.Add([]byte{0x12, 0x82, 0, 0x0a, 0})
	f.Fuzz(func(t *testing.T, entry0 []byte) {
		want := &common.Metadata{}
		readable := proto.Unmarshal(entry0, want) == nil && len(want.Signatures) <= block.MaxSignatures && len(entry0) <= block.MaxSignaturesSize
		got, err := block.DecodeSignatures(entry0)
		require.Equal(t, readable, err == nil)
		if err != nil {
			return
		}
		require.True(t, proto.Equal(want, got))
		for _, s := range got.Signatures {
			header := &common.SignatureHeader{}
			unreadable := proto.Unmarshal(s.SignatureHeader, header)
			creator, err := block.Creator(s.SignatureHeader)
			require.Equal(t, unreadable == nil, err == nil)
			require.Equal(t, string(header.Creator), string(creator))
		}
	})
}

// FuzzTxID compares the walk over the wire bytes with the decoded channel header.
func FuzzTxID(f *testing.F) {
	f.Add(envelope(common.HeaderType_ENDORSER_TRANSACTION, "ch", "tx1"))
	for _, header := range [][]byte{{0x2a, 1, 0xff}, {0x22, 1, 0xff}, {0x1a, 1, 0xff}, {0x1a, 2, 0x08, 1, 0x2a, 1, 'x', 0x2a, 1, 'y'}} {
		f.Add(marshal(&common.Envelope{Payload: marshal(&common.Payload{Header: &common.Header{ChannelHeader: header}})}))
	}
	f.Fuzz(func(t *testing.T, tx []byte) {
		h, unreadable := block.ChannelHeader(tx)
		id, err := block.TxID(tx)
		require.Equal(t, unreadable == nil, err == nil, "%v, %v", unreadable, err)
		require.Equal(t, h.GetTxId(), string(id))
	})
}
