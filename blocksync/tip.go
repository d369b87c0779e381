// SPDX-License-Identifier: Apache-2.0

package blocksync

// Tip is the header tip: the hashes of headers above our height that link to our chain and whose signatures have been
// verified, though their bodies are not committed yet. It is pure; one goroutine or lock at a time.
type Tip struct {
	hashes map[uint64][]byte
}

// NewTip makes an empty tip.
func NewTip() *Tip { return &Tip{hashes: map[uint64][]byte{}} }

// HashAt is the hash of the verified header with that number, nil if there is none.
func (t *Tip) HashAt(number uint64) []byte { return t.hashes[number] }

// Height is one more than the highest number on the tip, 0 if the tip is empty.
func (t *Tip) Height() (height uint64) {
	for number := range t.hashes {
		height = max(height, number+1)
	}
	return height
}

// Extend adds a verified header. Whoever calls it has checked that it links.
func (t *Tip) Extend(number uint64, hash []byte) { t.hashes[number] = hash }

// Advance forgets what lies below height: the ledger knows it.
func (t *Tip) Advance(height uint64) {
	for number := range t.hashes {
		if number < height {
			delete(t.hashes, number)
		}
	}
}

// Reset forgets everything from number on: the block that was committed below it was another one.
func (t *Tip) Reset() { clear(t.hashes) }
