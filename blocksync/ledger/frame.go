// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// MaxBlock is the size of the largest marshalled block that is stored, in bytes: above Fabric's default limit for gRPC
// messages of 100 MiB, and a bound for what one read allocates.
const MaxBlock = 128 << 20

// Layout of a frame: mark, number, position, length, CRC, then the marshalled block. Integers are little-endian.
const (
	atNumber   = 8
	atPosition = 16
	atLength   = 20
	atCRC      = 24
	headerSize = 28
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// mark opens every frame of one ledger: random, so that no transaction can carry bytes that recovery takes for a frame.
type mark [8]byte

// header is a decoded frame header.
type header struct {
	number   uint64 // of the block
	position uint32 // of the block within its Append: the blocks before number-position were durable before this write
	length   uint32 // of the marshalled block
	crc      uint32 // CRC-32C of number, position, length and the marshalled block
}

// header decodes a frame header; false when the bytes cannot open a frame of this ledger.
func (m mark) header(raw []byte) (header, bool) {
	if len(raw) < headerSize || mark(raw) != m {
		return header{}, false
	}
	h := header{
		number:   binary.LittleEndian.Uint64(raw[atNumber:]),
		position: binary.LittleEndian.Uint32(raw[atPosition:]),
		length:   binary.LittleEndian.Uint32(raw[atLength:]),
		crc:      binary.LittleEndian.Uint32(raw[atCRC:]),
	}
	return h, h.length <= MaxBlock
}

// checksum is the CRC-32C of a whole frame without its mark and its CRC field.
func checksum(frame []byte) uint32 {
	return crc32.Update(crc32.Checksum(frame[atNumber:atCRC], castagnoli), castagnoli, frame[headerSize:])
}

// readFrame reads the frame at an offset of a file of a given size into buf, which it grows as needed. ok is false when
// no whole and intact frame is there; err is an I/O error.
func (m mark) readFrame(f io.ReaderAt, offset, size int64, buf []byte) (h header, frame []byte, ok bool, err error) {
	if size-offset < headerSize {
		return header{}, buf, false, nil
	}
	buf = grow(buf, headerSize)
	if _, err := f.ReadAt(buf, offset); err != nil {
		return header{}, buf, false, err
	}
	h, ok = m.header(buf)
	if !ok || int64(h.length) > size-offset-headerSize {
		return header{}, buf, false, nil
	}
	buf = grow(buf, headerSize+int(h.length))
	if _, err := f.ReadAt(buf[headerSize:], offset+headerSize); err != nil {
		return header{}, buf, false, err
	}
	return h, buf, checksum(buf) == h.crc, nil
}

// grow returns buf with length n, keeping what it holds.
func grow(buf []byte, n int) []byte {
	if n <= cap(buf) {
		return buf[:n]
	}
	grown := make([]byte, n)
	copy(grown, buf)
	return grown
}
