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

// response is a marshalled DeliverResponse, of either service, with a block that is marshalled in pieces. It is sent as it is, so that a
// block is neither decoded nor copied on its way out.
func response(block ...mem.Buffer) mem.BufferSlice {
	size := 0
	for _, piece := range block {
		size += piece.Len()
	}
	prefix := protowire.AppendVarint(protowire.AppendTag(nil, blockField, protowire.BytesType), uint64(size))
	return append(append(make(mem.BufferSlice, 0, 1+len(block)), mem.SliceBuffer(prefix)), block...)
}

// codec is gRPC's codec for protobuf that knows marshalled messages as well.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(protocodec.Name)} }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(mem.BufferSlice); ok {
		return m, nil
	}
	return c.CodecV2.Marshal(v)
}
