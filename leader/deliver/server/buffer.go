// SPDX-License-Identifier: Apache-2.0

package server

import "sync"

const (
	// firstBuffer is room for a block of a usual size, maxBuffer what is kept for another block at most, in bytes.
	firstBuffer, maxBuffer = 64 << 10, 4 << 20
	// frame is the room that a ledger needs beside the block.
	frame = 64
)

// buffers are memory for blocks that are read and sent. The zero value is ready.
type buffers struct{ pool sync.Pool }

// buffer is memory for one block. gRPC gives it back when the block is on its way, which makes it a mem.BufferPool.
type buffer struct {
	from  *buffers
	bytes []byte
}

func (b *buffers) get() *buffer {
	if got, ok := b.pool.Get().(*buffer); ok {
		return got
	}
	return &buffer{from: b, bytes: make([]byte, 0, firstBuffer)}
}

// fit says how big the block was, so that the next one of that size finds room.
func (b *buffer) fit(size int) {
	if size += frame; size > cap(b.bytes) && size <= maxBuffer {
		b.bytes = make([]byte, 0, size+size/8)
	}
}

// free gives the buffer back. Nobody reads what was in it any more.
func (b *buffer) free() { b.from.pool.Put(b) }

// Get implements mem.BufferPool; it is not used.
func (b *buffer) Get(int) *[]byte { return &b.bytes }

// Put implements mem.BufferPool: gRPC is done with the block.
func (b *buffer) Put(*[]byte) { b.free() }
