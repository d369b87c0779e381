// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/pb"
)

// FuzzChunk: a chunk that is accepted is exactly the next part of the block that was asked for.
func FuzzChunk(f *testing.F) {
	for _, c := range []*pb.Chunk{{}, {Number: 5, Size: 3, Data: []byte("abc")}, {Number: 5, Size: 1 << 40, Data: make([]byte, blocksync.ChunkBytes)}} {
		raw, err := proto.Marshal(c)
		require.NoError(f, err)
		f.Add(raw, uint64(5), uint64(3), uint64(0))
		f.Add(raw, uint64(5), uint64(1<<40), uint64(blocksync.ChunkBytes))
	}
	f.Fuzz(func(t *testing.T, raw []byte, number, size, have uint64) {
		var want pb.Chunk
		unreadable := proto.Unmarshal(raw, &want)
		c, err := blocksync.DecodeChunk(raw)
		require.Equal(t, unreadable == nil, err == nil)
		if err != nil || have > size {
			return
		}
		require.Equal(t, []any{want.Number, want.Size, string(want.Data)}, []any{c.Number, c.Size, string(c.Data)})
		if err := blocksync.CheckChunk(c, number, size, have); err != nil {
			require.ErrorIs(t, err, blocksync.ErrAnswer)
			return
		}
		require.Equal(t, number, c.Number)
		require.Equal(t, size, c.Size)
		require.NotZero(t, size)
		require.LessOrEqual(t, have+uint64(len(c.Data)), size)
		require.True(t, len(c.Data) == blocksync.ChunkBytes || have+uint64(len(c.Data)) == size)
	})
}

// FuzzBlock: whatever comes as a block is refused, or has the number and can be offered.
func FuzzBlock(f *testing.F) {
	for _, b := range []*common.Block{{}, {Header: &common.BlockHeader{Number: 5}}, {Header: &common.BlockHeader{Number: 5}, Data: &common.BlockData{Data: [][]byte{{1}}}, Metadata: &common.BlockMetadata{Metadata: [][]byte{{}, {}}}}} {
		raw, err := proto.Marshal(b)
		require.NoError(f, err)
		f.Add(raw, uint64(5))
		f.Add(raw, uint64(0))
	}
	f.Fuzz(func(t *testing.T, raw []byte, number uint64) {
		b, err := blocksync.DecodeBlock(raw, number)
		if err != nil {
			require.ErrorIs(t, err, blocksync.ErrAnswer)
			return
		}
		require.Equal(t, number, b.GetHeader().GetNumber())
		c, err := blocksync.NewCandidate(b, "peer")
		if err != nil {
			return
		}
		require.Len(t, c.Block.Metadata.Metadata, 5)
		require.Empty(t, c.Block.ProtoReflect().GetUnknown())
		again, err := blocksync.NewCandidate(c.Block, "peer")
		require.NoError(t, err)
		require.True(t, proto.Equal(c.Block, again.Block))
		require.Equal(t, proto.Size(again.Block), c.Size)
	})
}

// FuzzRequest: a request is refused, or its range is within bounds.
func FuzzRequest(f *testing.F) {
	for _, q := range []*pb.Request{{}, {Scope: scope, From: 1, To: 5}, {Scope: scope, To: 1<<64 - 1}, {From: 7, To: 3}} {
		raw, err := proto.Marshal(q)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var q pb.Request
		if proto.Unmarshal(raw, &q) == nil && blocksync.ValidRequest(&q) {
			require.LessOrEqual(t, len(q.Scope), blocksync.MaxScope)
			require.LessOrEqual(t, q.From, q.To)
			require.Less(t, q.To-q.From, uint64(blocksync.MaxRange))
		}
	})
}

// FuzzResponse: the beginning of an answer names a peer, has blocks to come, or is an error; never two of them.
func FuzzResponse(f *testing.F) {
	f.Add([]byte{8, 1, 16, 5})
	f.Fuzz(func(t *testing.T, raw []byte) {
		head := &pb.Response{}
		if proto.Unmarshal(raw, head) != nil {
			return
		}
		r, err := blocksync.DecodeHead(head)
		if err != nil {
			require.Empty(t, r.Elsewhere)
			return
		}
		require.Equal(t, head.Status == pb.Status_STATUS_ELSEWHERE, r.Elsewhere != "")
		require.LessOrEqual(t, len(r.Elsewhere), 64)
	})
}
