// SPDX-License-Identifier: Apache-2.0

package block_test

import (
	"slices"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
)

func whole() *common.Block {
	return &common.Block{
		Header:   &common.BlockHeader{Number: 7, PreviousHash: []byte("previous"), DataHash: []byte("data")},
		Data:     &common.BlockData{Data: [][]byte{[]byte("one"), []byte("two")}},
		Metadata: &common.BlockMetadata{Metadata: [][]byte{[]byte("signatures"), {}, {}, {}, {}}},
	}
}

func TestSplit(t *testing.T) {
	raw, err := proto.Marshal(whole())
	require.NoError(t, err)
	p, err := block.Split(raw)
	require.NoError(t, err)
	require.True(t, proto.Equal(whole().Header, p.Header))
	require.Equal(t, raw, slices.Concat(p.RawHeader, p.RawData, p.RawMetadata))
	txs, err := p.Transactions()
	require.NoError(t, err)
	require.Equal(t, whole().Data.Data, txs)
	require.False(t, p.IsConfig())

	for name, bad := range map[string][]byte{
		"empty":         nil,
		"no header":     raw[len(p.RawHeader):],
		"no data":       slices.Concat(p.RawHeader, p.RawMetadata),
		"no metadata":   raw[:len(raw)-len(p.RawMetadata)],
		"header twice":  slices.Concat(p.RawHeader, raw),
		"data twice":    slices.Concat(raw, p.RawData),
		"cut off":       raw[:len(raw)-1],
		"more fields":   protowire.AppendVarint(protowire.AppendTag(slices.Clone(raw), 4, protowire.VarintType), 1),
		"wire type":     protowire.AppendVarint(protowire.AppendTag(slices.Clone(raw), 1, protowire.VarintType), 1),
		"broken header": append(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), []byte{0xff}), raw[len(p.RawHeader):]...),
	} {
		_, err := block.Split(bad)
		require.ErrorIs(t, err, block.ErrParts, name)
	}
}

// What Split accepts, protobuf reads in the same way.
func FuzzSplit(f *testing.F) {
	raw, err := proto.Marshal(whole())
	require.NoError(f, err)
	f.Add(raw)
	f.Add(raw[:len(raw)-1])
	f.Add([]byte{0x0a, 0, 0x12, 0, 0x1a, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := block.Split(raw)
		if err != nil {
			return
		}
		decoded := &common.Block{}
		if proto.Unmarshal(raw, decoded) != nil {
			return // the inside is for whoever looks into it
		}
		require.True(t, proto.Equal(decoded.Header, p.Header))
		txs, err := p.Transactions()
		require.NoError(t, err)
		require.True(t, slices.EqualFunc(decoded.GetData().GetData(), txs, slices.Equal[[]byte]))
		require.Equal(t, block.IsConfig(decoded), p.IsConfig())
	})
}
