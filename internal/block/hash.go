// SPDX-License-Identifier: Apache-2.0

package block

import (
	"crypto/sha256"
	"encoding/binary"

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
	previous, data := h.GetPreviousHash(), h.GetDataHash()
	// 11 bytes of number at most; a tag and up to nine bytes of length before each of the two hashes.
	body := make([]byte, 0, 11+10+len(previous)+10+len(data))
	body = appendInteger(body, h.GetNumber())
	body = appendDER(body, tagOctetString, previous)
	body = appendDER(body, tagOctetString, data)
	return appendDER(make([]byte, 0, 10+len(body)), tagSequence, body)
}

// HeaderHash returns SHA-256 over HeaderBytes, the hash that the next block names as its previous hash. It is SHA-256
// on every channel, whatever the channel's hashing algorithm is.
func HeaderHash(h *common.BlockHeader) []byte {
	sum := sha256.Sum256(HeaderBytes(h))
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
	dst = append(dst, tag)
	size := len(content)
	if size < 0x80 {
		dst = append(dst, byte(size))
		return append(dst, content...)
	}
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], uint64(size))
	first := 0
	for raw[first] == 0 {
		first++
	}
	dst = append(dst, 0x80|byte(len(raw)-first))
	dst = append(dst, raw[first:]...)
	return append(dst, content...)
}
