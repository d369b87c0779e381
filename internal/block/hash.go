// SPDX-License-Identifier: Apache-2.0

package block

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// ASN.1 DER tags used by a block header.
const (
	tagInteger     = 0x02
	tagOctetString = 0x04
	tagSequence    = 0x30
)

// HeaderBytes returns the bytes of a header that are hashed and signed: the DER encoding of
// SEQUENCE { INTEGER number, OCTET STRING previous_hash, OCTET STRING data_hash }. The number is the uint64 as a
// non-negative integer; absent hashes are empty octet strings. A nil header encodes like an empty one.
func HeaderBytes(h *common.BlockHeader) []byte {
	return appendHeader(make([]byte, 0, headerRoom+len(h.GetPreviousHash())+len(h.GetDataHash())), h)
}

// headerRoom is what a header takes beside its hashes, at most: 11 bytes of number, and a tag and up to nine bytes of
// length before each of the two hashes and before the whole.
const headerRoom = 11 + 3*10

func appendHeader(dst []byte, h *common.BlockHeader) []byte {
	var number [11]byte
	n := appendInteger(number[:0], h.GetNumber())
	previous, data := h.GetPreviousHash(), h.GetDataHash()
	dst = appendLength(dst, tagSequence, len(n)+sizeDER(len(previous))+sizeDER(len(data)))
	dst = append(dst, n...)
	dst = appendDER(dst, tagOctetString, previous)
	return appendDER(dst, tagOctetString, data)
}

// HeaderHash returns SHA-256 over HeaderBytes, the hash that the next block names as its previous hash. It is SHA-256
// on every channel, whatever the channel's hashing algorithm is.
func HeaderHash(h *common.BlockHeader) []byte {
	var room [headerRoom + 2*sha256.Size]byte // enough for every header that is not forged
	sum := sha256.Sum256(appendHeader(room[:0], h))
	return sum[:]
}

// DataHash returns SHA-256 over the concatenation of a block's transactions, in order, without separators. It does not
// show where one transaction ends and the next begins: that is what WellFormed is for.
func DataHash(d *common.BlockData) []byte {
	hash := sha256.New()
	for _, tx := range d.GetData() {
		hash.Write(tx)
	}
	return hash.Sum(nil)
}

func appendInteger(dst []byte, n uint64) []byte {
	var raw [9]byte // a leading zero keeps a set top bit from meaning a negative number
	binary.BigEndian.PutUint64(raw[1:], n)
	first := 0
	for first < len(raw)-1 && raw[first] == 0 && raw[first+1] < 0x80 {
		first++
	}
	return appendDER(dst, tagInteger, raw[first:])
}

func appendDER(dst []byte, tag byte, content []byte) []byte {
	return append(appendLength(dst, tag, len(content)), content...)
}

// appendLength appends the tag and the length of a DER element.
func appendLength(dst []byte, tag byte, size int) []byte {
	dst = append(dst, tag)
	if size < 0x80 {
		return append(dst, byte(size))
	}
	n := (bits.Len(uint(size)) + 7) / 8
	dst = append(dst, 0x80|byte(n))
	for n--; n >= 0; n-- {
		dst = append(dst, byte(size>>(8*n)))
	}
	return dst
}

// sizeDER is the size of a DER element whose content has a size.
func sizeDER(content int) int {
	if content < 0x80 {
		return 2 + content
	}
	return 2 + (bits.Len(uint(content))+7)/8 + content
}
