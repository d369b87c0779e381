// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// An entry in the index: segment, offset, length, header hash, CRC-32C of the block number and all that. Big-endian.
const (
	atEntryCRC = 8 + 8 + 4 + len(sum{})
	entrySize  = atEntryCRC + 4
)

// location is where a block's frame is.
type location struct {
	segment uint64 // first block number of the segment
	offset  int64  // of the frame
	length  uint32 // of the marshalled block
}

func (l location) end() int64 { return l.offset + headerSize + int64(l.length) }

// entry is what is known of a block without reading it.
type entry struct {
	location
	hash sum // of the header
}

// marshal encodes an entry as the value of block n.
func (e entry) marshal(n uint64) []byte {
	raw := make([]byte, 0, entrySize)
	raw = binary.BigEndian.AppendUint64(raw, e.segment)
	raw = binary.BigEndian.AppendUint64(raw, uint64(e.offset))
	raw = binary.BigEndian.AppendUint32(raw, e.length)
	raw = append(raw, e.hash[:]...)
	return binary.BigEndian.AppendUint32(raw, entryChecksum(n, raw))
}

func parseEntry(n uint64, raw []byte) (entry, error) {
	if len(raw) != entrySize || binary.BigEndian.Uint32(raw[atEntryCRC:]) != entryChecksum(n, raw[:atEntryCRC]) {
		return entry{}, fmt.Errorf("%w: entry of block %d", errDamaged, n)
	}
	return entry{
		location: location{
			segment: binary.BigEndian.Uint64(raw),
			offset:  int64(binary.BigEndian.Uint64(raw[8:])),
			length:  binary.BigEndian.Uint32(raw[16:]),
		},
		hash: sum(raw[20:atEntryCRC]),
	}, nil
}

func entryChecksum(n uint64, raw []byte) uint32 {
	return crc32.Update(crc32.Checksum(binary.BigEndian.AppendUint64(nil, n), castagnoli), castagnoli, raw)
}
