// SPDX-License-Identifier: Apache-2.0

package server

import (
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/mem"
)

const (
	// oneRoom, in bytes, is for a stream that gets blocks as they come, and for the first that another one gets.
	oneRoom = 72 << 10
	// manyRoom is for a stream that catches up. Reads of so much keep reading and sending apart: with less, both take turns on one core.
	manyRoom = 512 << 10
	// maxRoom is for the biggest block that is read into a buffer.
	maxRoom = 4 << 20
	// frame is the room that a ledger needs beside the block.
	frame = 64
)

// roomFor returns the room that a stream wants for the next block, or many, after one of a size.
func roomFor(size int, many bool) int {
	room := oneRoom
	if many {
		room = manyRoom
	}
	if size += frame + size/8; size <= maxRoom {
		return max(room, size)
	}
	return room
}

// buffers are memory for blocks that are read and sent. The zero value is ready.
type buffers struct{ pool sync.Pool }

// buffer is memory for some blocks. gRPC puts each back when it is on its way, which makes it a mem.BufferPool.
type buffer struct {
	from  *buffers
	bytes []byte
	left  atomic.Int32 // blocks that are still to be put back
}

// get returns a buffer with room for so many bytes, or more.
func (b *buffers) get(room int) *buffer {
	if got, ok := b.pool.Get().(*buffer); ok && cap(got.bytes) >= room {
		return got
	}
	return &buffer{from: b, bytes: make([]byte, 0, room)}
}

// free gives the buffer back. Nobody reads what was in it any more.
func (b *buffer) free() { b.from.pool.Put(b) }

// part returns a block that lies in the buffer for gRPC. A small one, which gRPC would not give back, is copied.
func (b *buffer) part(block []byte) mem.Buffer {
	if !mem.IsBelowBufferPoolingThreshold(cap(block)) {
		return mem.NewBuffer(&block, b)
	}
	defer b.Put(nil)
	return mem.SliceBuffer(slices.Clone(block))
}

// Get implements mem.BufferPool; it is not used.
func (b *buffer) Get(int) *[]byte { return &b.bytes }

// Put implements mem.BufferPool: gRPC is done with a block.
func (b *buffer) Put(*[]byte) {
	if b.left.Add(-1) == 0 {
		b.free()
	}
}
