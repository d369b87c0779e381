// SPDX-License-Identifier: Apache-2.0

package msp

import "encoding/binary"

// The domains of weft's MSP and host signatures.
const (
	domainRecord     = "weft/record/1"
	domainRecordHost = "weft/record/1/host"
	domainControl    = "weft/control/1"
)

// frame joins fields into the bytes that are signed: each field behind its
// length in four bytes, big-endian, so that no two lists of fields give the
// same bytes. The first byte is zero, and no Fabric message that an MSP key
// signs begins so: zero is no protobuf tag.
func frame(fields ...[]byte) []byte {
	size := 0
	for _, f := range fields {
		size += 4 + len(f)
	}
	out := make([]byte, 0, size)
	for _, f := range fields {
		out = binary.BigEndian.AppendUint32(out, uint32(len(f)))
		out = append(out, f...)
	}
	return out
}
