// SPDX-License-Identifier: Apache-2.0

package block_test

import (
	"math"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
)

func TestLastConfig(t *testing.T) {
	signed := marshal(&common.Metadata{Value: marshal(&common.OrdererBlockMetadata{
		LastConfig: &common.LastConfig{Index: 41}, ConsenterMetadata: []byte("raft"),
	})})
	legacy := marshal(&common.Metadata{Value: marshal(&common.LastConfig{Index: 7})})
	tests := map[string]struct {
		entries [][]byte
		want    uint64
	}{
		"signed value":                     {[][]byte{signed, {}, {}, {}, {}}, 41},
		"signed value wins over entry 1":   {[][]byte{signed, legacy, {}, {}, {}}, 41},
		"entry 1 before 1.4.1":             {[][]byte{{}, legacy, {}, {}}, 7},
		"genesis, nothing in either":       {[][]byte{{}, {}, {}, {}, {}}, 0},
		"no metadata":                      {nil, 0},
		"signed value without last config": {[][]byte{marshal(&common.Metadata{Value: marshal(&common.OrdererBlockMetadata{ConsenterMetadata: []byte("x")})})}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := block.LastConfig(withMetadata(tt.entries...))
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestMetadataLimits(t *testing.T) {
	signatures := func(n int) []byte {
		md := &common.Metadata{}
		for range n {
			md.Signatures = append(md.Signatures, &common.MetadataSignature{Signature: []byte("s")})
		}
		return marshal(md)
	}
	sized := func(size int) []byte {
		// Field 9 is unknown to Metadata: tag, three bytes of length, padding.
		return append([]byte{0x4a, byte(size-4)&0x7f | 0x80, byte((size-4)>>7) | 0x80, byte((size - 4) >> 14)}, make([]byte, size-4)...)
	}
	tests := map[string]struct {
		entry0 []byte
		want   string
	}{
		"signatures at the limit":    {signatures(block.MaxSignatures), ""},
		"signatures above the limit": {signatures(block.MaxSignatures + 1), "257 signatures, the limit is 256"},
		"size at the limit":          {sized(block.MaxSignaturesSize), ""},
		"size above the limit":       {sized(block.MaxSignaturesSize + 1), "262145 bytes, the limit is 262144"},
		"not protobuf":               {[]byte{0xff}, "entry 0"},
		"value not protobuf":         {marshal(&common.Metadata{Value: []byte{0xff}}), "signed value of entry 0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := block.OrdererMetadata(withMetadata(tt.entry0).GetMetadata())
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, block.ErrMetadata)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestNormalize(t *testing.T) {
	entry0 := marshal(&common.Metadata{
		Value:      marshal(&common.OrdererBlockMetadata{LastConfig: &common.LastConfig{Index: 41}}),
		Signatures: []*common.MetadataSignature{{Signature: []byte("s")}},
	})
	entry1 := []byte{0x0a, 0x02, 0x08, 41} // the four bytes that a Fabric orderer writes
	want := withMetadata(entry0, entry1, []byte{}, []byte{}, []byte{})
	tests := map[string]*common.Block{
		"as the orderer delivered it": withMetadata(entry0, entry1, []byte{}, []byte{}, []byte{}),
		"filled by a peer":            withMetadata(entry0, entry1, []byte("filter"), []byte("x"), []byte("commit hash")),
		"entry 1 forged":              withMetadata(entry0, []byte{0x0a, 0x02, 0x08, 1}, []byte{}, []byte{}, []byte{}),
		"entry 1 not protobuf":        withMetadata(entry0, []byte{0xff}),
		"a sixth entry":               withMetadata(entry0, entry1, nil, nil, nil, []byte("more")),
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, block.Normalize(b))
			require.True(t, proto.Equal(want, b))
			require.NoError(t, block.Normalize(b))
			require.True(t, proto.Equal(want, b), "a second time changes nothing")
		})
	}
}

func TestNormalizeGenesisAndOldBlocks(t *testing.T) {
	genesis := &common.Block{}
	require.NoError(t, block.Normalize(genesis))
	require.Equal(t, [][]byte{nil, {}, {}, {}, {}}, genesis.GetMetadata().GetMetadata(), "last config 0 is no byte at all")

	legacy := &common.Metadata{
		Value:      marshal(&common.LastConfig{Index: 7}),
		Signatures: []*common.MetadataSignature{{Signature: []byte("s")}},
	}
	old := withMetadata([]byte{}, marshal(legacy), []byte{}, []byte{})
	require.NoError(t, block.Normalize(old))
	got, err := block.LastConfig(old)
	require.NoError(t, err)
	require.EqualValues(t, 7, got)
	require.Len(t, old.GetMetadata().GetMetadata(), block.MetadataEntries)
}

func TestNormalizeLeavesABadBlockAlone(t *testing.T) {
	b := withMetadata([]byte{0xff}, nil, []byte("filter"))
	before := proto.Clone(b)
	require.ErrorIs(t, block.Normalize(b), block.ErrMetadata)
	require.True(t, proto.Equal(before, b))
	require.ErrorIs(t, block.Normalize(nil), block.ErrMetadata)
}

func FuzzOrdererMetadata(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(marshal(&common.Metadata{Value: marshal(&common.OrdererBlockMetadata{LastConfig: &common.LastConfig{Index: math.MaxUint64}})}), []byte{0x0a, 0x02, 0x08, 41})
	f.Fuzz(func(t *testing.T, entry0, entry1 []byte) {
		b := withMetadata(entry0, entry1)
		index, err := block.LastConfig(b)
		if block.Normalize(b) != nil {
			require.Error(t, err)
			return
		}
		again, err := block.LastConfig(b)
		require.NoError(t, err)
		require.Equal(t, index, again)
	})
}

func withMetadata(entries ...[]byte) *common.Block {
	return &common.Block{Metadata: &common.BlockMetadata{Metadata: entries}}
}
