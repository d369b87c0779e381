// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Bounds of a reorder buffer.
const (
	// Window is how far ahead of the next block a candidate may be.
	Window = 256
	// maxCandidates is how many candidates one number may have: the true block from two sources, and forgeries.
	maxCandidates = 4
	// maxBuffered is how many bytes of candidates a channel holds; one source may fill a quarter of it.
	maxBuffered = 64 << 20
)

// Candidate is a block that nobody has verified yet, and who brought it.
type Candidate struct {
	Block *common.Block
	From  peer.ID // empty: our own block source
	Size  int     // in bytes, as counted against the buffer's bounds
}

// Outcome is what became of a candidate.
type Outcome int

// What may become of a candidate.
const (
	Stored   Outcome = iota
	Stale            // below the next number: committed already
	Beyond           // too far ahead
	Repeated         // this source has brought this number already
	Full             // no room: for this number, for this source, or at all
)

// Buffer is the reorder buffer: candidates by number, bounded in numbers, bytes, candidates per number and bytes per source.
// The next number always has room, so a full buffer cannot stop the chain. It is pure; one goroutine or lock at a time.
type Buffer struct {
	next  uint64
	slots map[uint64][]Candidate
	bytes int
	share map[peer.ID]int
}

// NewBuffer makes a buffer whose next number is next.
func NewBuffer(next uint64) *Buffer {
	return &Buffer{next: next, slots: map[uint64][]Candidate{}, share: map[peer.ID]int{}}
}

// Add stores a candidate, or says why not.
func (b *Buffer) Add(c Candidate) Outcome {
	number := c.Block.GetHeader().GetNumber()
	slot := b.slots[number]
	switch {
	case number < b.next:
		return Stale
	case number-b.next >= Window:
		return Beyond
	case brought(slot, c.From):
		return Repeated
	case number == b.next && len(slot) < maxCandidates:
	case len(slot) >= maxCandidates || b.bytes+c.Size > maxBuffered || b.share[c.From]+c.Size > b.quota(c.From):
		return Full
	}
	b.slots[number] = append(slot, c)
	b.count(c, c.Size)
	return Stored
}

// quota is how many bytes one source may have in the buffer: a quarter, but all of it for our own source.
func (b *Buffer) quota(from peer.ID) int {
	if from == "" {
		return maxBuffered
	}
	return maxBuffered / 4
}

// Has says whether there is a candidate for number.
func (b *Buffer) Has(number uint64) bool { return len(b.slots[number]) > 0 }

// Len is how many numbers have candidates.
func (b *Buffer) Len() int { return len(b.slots) }

// Next returns the candidates for the next number, in the order in which they came.
func (b *Buffer) Next() []Candidate { return b.slots[b.next] }

// At returns the candidates for number.
func (b *Buffer) At(number uint64) []Candidate { return b.slots[number] }

// Drop takes a candidate of from away: it did not verify.
func (b *Buffer) Drop(number uint64, from peer.ID) {
	slot := b.slots[number]
	for i, c := range slot {
		if c.From == from {
			b.count(c, -c.Size)
			b.slots[number] = append(slot[:i:i], slot[i+1:]...)
			break
		}
	}
	if len(b.slots[number]) == 0 {
		delete(b.slots, number)
	}
}

// Advance says that all blocks below next are committed, and lets go of their candidates.
func (b *Buffer) Advance(next uint64) {
	for ; b.next < next; b.next++ {
		for _, c := range b.slots[b.next] {
			b.count(c, -c.Size)
		}
		delete(b.slots, b.next)
	}
}

func (b *Buffer) count(c Candidate, size int) {
	b.bytes += size
	if b.share[c.From] += size; b.share[c.From] == 0 {
		delete(b.share, c.From)
	}
}

func brought(slot []Candidate, from peer.ID) bool {
	for _, c := range slot {
		if c.From == from {
			return true
		}
	}
	return false
}
