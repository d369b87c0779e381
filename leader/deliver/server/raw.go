// SPDX-License-Identifier: Apache-2.0

package server

import (
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// blockField is the number of the block in orderer.DeliverResponse and in peer.DeliverResponse.
const blockField = 2

// raw is a marshalled message in pieces. It is sent as it is, so that a block is neither decoded nor copied on its way out.
type raw struct {
	pieces [][]byte
	buffer *buffer // the last piece lies in it, and no other does; nil: in none that is used again
}

// response is a marshalled DeliverResponse, of either service, with a block that is marshalled in pieces.
func response(block ...[]byte) raw {
	size := 0
	for _, piece := range block {
		size += len(piece)
	}
	prefix := protowire.AppendVarint(protowire.AppendTag(nil, blockField, protowire.BytesType), uint64(size))
	return raw{pieces: append([][]byte{prefix}, block...)}
}

// codec is gRPC's codec for protobuf that knows raw messages as well.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(protocodec.Name)} }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(raw)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	out := make(mem.BufferSlice, len(m.pieces))
	for i, piece := range m.pieces {
		out[i] = mem.SliceBuffer(piece)
	}
	if m.buffer != nil {
		last := len(m.pieces) - 1
		out[last] = mem.NewBuffer(&m.pieces[last], m.buffer)
	}
	return out, nil
}
