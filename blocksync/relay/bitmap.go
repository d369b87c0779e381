// SPDX-License-Identifier: Apache-2.0

package relay

import "math/bits"

// Bitmap is a set of leaves.
type Bitmap []uint64

// NewBitmap is an empty set of leaves below n.
func NewBitmap(n int) Bitmap { return make(Bitmap, (n+63)/64) }

// Has says whether i is in the set. It reports false for what cannot be.
func (b Bitmap) Has(i int) bool { return i >= 0 && i/64 < len(b) && b[i/64]>>(i%64)&1 == 1 }

// Set adds i, which is below n.
func (b Bitmap) Set(i int) { b[i/64] |= 1 << (i % 64) }

// Clear takes i out.
func (b Bitmap) Clear(i int) { b[i/64] &^= 1 << (i % 64) }

// Count is the size of the set.
func (b Bitmap) Count() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// holds says whether all of first to first+count-1 are in the set.
func (b Bitmap) holds(first, count int) bool {
	for i := first; i < first+count; i++ {
		if !b.Has(i) {
			return false
		}
	}
	return true
}

// touches says whether one of first to first+count-1 is in the set.
func (b Bitmap) touches(first, count int) bool {
	for i := first; i < first+count; i++ {
		if b.Has(i) {
			return true
		}
	}
	return false
}
