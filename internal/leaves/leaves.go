// SPDX-License-Identifier: Apache-2.0

// Package leaves is the rule by which the body of a block is cut into leaves, and the hash tree over them.
//
// Everybody who announces a block cuts it by this rule, so that every announcer's root is the same: the body is the
// canonical encoding of the block's Data, and the size of a leaf follows from the size of the body alone. The tree has the
// shape of RFC 6962 section 2.1 (SHA-256; 0x00 before a leaf, 0x01 before an inner node; the left part is the largest power
// of two), but every hash below the root is cut to its first 16 bytes: proofs travel with every piece of a body, and a
// forger still has to find a second preimage of 128 bits. The root is whole.
//
// A [Tree] holds the hashes that are known: all of them at an announcer ([Build]), only the root at a receiver
// ([NewTree]), where a crown and the proofs of pieces add to them.
package leaves

import (
	"crypto/sha256"
	"math/bits"
)

// Rule is the version of the cutting rule and of the tree. Another rule is another number.
const Rule = 2

const (
	// small is a leaf of a body up to threshold, in bytes: a body of 1 MiB feeds a thousand relays. big is a leaf above it,
	// where hashing and bitmaps would cost more than a finer cut gains.
	small     = 1 << 10
	big       = 8 << 10
	threshold = 2 << 20
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
func Root(body []byte) [sha256.Size]byte { return Build(body).Root() }

// HashSize is the size of a hash below the root, in bytes.
const HashSize = 16

type hash = [HashSize]byte

// leafHash is the whole hash of a leaf.
func leafHash(data []byte) [sha256.Size]byte {
	if len(data) <= small {
		var buf [1 + small]byte
		return sha256.Sum256(buf[:1+copy(buf[1:], data)])
	}
	var buf [1 + big]byte
	return sha256.Sum256(buf[:1+copy(buf[1:], data)])
}

// nodeHash is the whole hash of an inner node.
func nodeHash(l, r hash) [sha256.Size]byte {
	var pair [1 + 2*HashSize]byte
	pair[0] = 1
	copy(pair[1:], l[:])
	copy(pair[1+HashSize:], r[:])
	return sha256.Sum256(pair[:])
}

// width is how many nodes a tree over count leaves has at a level; level 0 are the leaves.
func width(count, level int) int { return (count + 1<<level - 1) >> level }

// height is the level of the root.
func height(count int) int { return bits.Len(uint(count - 1)) }
