// SPDX-License-Identifier: Apache-2.0

// Package leaves is the rule by which the body of a block is cut into leaves, and the root of the hash tree over them.
//
// Everybody who announces a block cuts it by this rule, so that every announcer's root is the same: the body is the
// canonical encoding of the block's Data, and the size of a leaf follows from the size of the body alone. The tree is that of
// RFC 6962 section 2.1 (SHA-256; 0x00 before a leaf, 0x01 before an inner node; the left part is the largest power of two).
package leaves

import (
	"crypto/sha256"
	"math/bits"
)

// Rule is the version of the cutting rule and of the tree. Another rule is another number.
const Rule = 1

const (
	small     = 4 << 10 // leaf of a body up to large
	big       = 8 << 10 // leaf of a body above it
	threshold = 1 << 20
)

// Size is the size of a leaf of a body of the given size, in bytes. The last leaf may be shorter.
func Size(body int) int {
	if body <= threshold {
		return small
	}
	return big
}

// Count is how many leaves a body of the given size has: at least one, since an empty body is one empty leaf.
func Count(body int) int {
	size := Size(body)
	return max(1, (body+size-1)/size)
}

// Root is the root of the tree over the leaves of body.
func Root(body []byte) [sha256.Size]byte {
	size := Size(len(body))
	hashes := make([][sha256.Size]byte, 0, Count(len(body)))
	for at := 0; at == 0 || at < len(body); at += size {
		hashes = append(hashes, leaf(body[at:min(at+size, len(body))]))
	}
	return fold(hashes)
}

func fold(hashes [][sha256.Size]byte) [sha256.Size]byte {
	if len(hashes) == 1 {
		return hashes[0]
	}
	left := 1 << (bits.Len(uint(len(hashes)-1)) - 1)
	return node(fold(hashes[:left]), fold(hashes[left:]))
}

func leaf(data []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(data)
	h.Sum(sum[:0])
	return sum
}

func node(l, r [sha256.Size]byte) [sha256.Size]byte {
	var pair [1 + 2*sha256.Size]byte
	pair[0] = 1
	copy(pair[1:], l[:])
	copy(pair[1+sha256.Size:], r[:])
	return sha256.Sum256(pair[:])
}
