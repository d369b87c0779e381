// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Bounds of a reorder buffer.
const (
	// Window is how far ahead of the next block a candidate may be.
	Window = 256
	// maxCandidates is how many candidates one number may have: the true block from two sources, and forgeries.
	maxCandidates = 4
	// maxBuffered is how many bytes of candidates a channel holds, the first for the next number not counted; one peer may
	// fill a quarter of it.
	maxBuffered = 64 << 20
)

// Candidate is a block that nobody has verified yet, and who brought it.
type Candidate struct {
	Block *common.Block
	From  peer.ID // empty: our own block source
	Size  int     // in bytes, as counted against the buffer's bounds

	ahead *examination // nil as long as nobody has taken the block to examine it ahead of its turn
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
	Unusable         // cannot be a block of any channel
)

// Buffer is the reorder buffer: candidates by number, bounded in numbers, bytes, candidates per number and bytes per source.
// A nearer number pushes out what peers brought for farther ones, and the next number has room for a candidate whatever the
// bounds, so whoever fills the buffer cannot stop the chain. A block of our own source is never pushed out, and peers
// cannot take its place. It is pure; one goroutine or lock at a time.
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
	case number == b.next && (c.From == "" || len(slot) == 0):
	case c.From != "" && len(slot) >= maxCandidates:
		return Full
	case !b.makeRoom(c):
		return Full
	}
	b.slots[number] = append(b.slots[number], c)
	b.count(c, c.Size)
	return Stored
}

// makeRoom pushes out candidates for farther numbers, the farthest first, until c fits into the bounds.
func (b *Buffer) makeRoom(c Candidate) bool {
	for b.share[c.From]+c.Size > b.quota(c.From) {
		if c.From == "" || !b.evict(c, true) {
			return false
		}
	}
	for b.bytes+c.Size > maxBuffered {
		if !b.evict(c, false) {
			return false
		}
	}
	return true
}

// evict drops the candidate of a peer that is farthest ahead, farther than c; if same, one of c's own source.
func (b *Buffer) evict(c Candidate, same bool) bool {
	var victim Candidate
	farthest := c.Block.GetHeader().GetNumber()
	for number, slot := range b.slots {
		for _, other := range slot {
			if number > farthest && other.From != "" && (!same || other.From == c.From) {
				victim, farthest = other, number
			}
		}
	}
	if victim.Block == nil {
		return false
	}
	b.drop(farthest, victim.From)
	return true
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

// At returns the candidates for number, in the order in which they came. Read only, and only until the next change.
func (b *Buffer) At(number uint64) []Candidate { return b.slots[number] }

// Forget drops all that a source has brought: one of its blocks did not verify.
func (b *Buffer) Forget(from peer.ID) {
	for number := range b.slots {
		b.drop(number, from)
	}
}

func (b *Buffer) drop(number uint64, from peer.ID) {
	slot := b.slots[number]
	i := slices.IndexFunc(slot, func(c Candidate) bool { return c.From == from })
	if i < 0 {
		return
	}
	b.count(slot[i], -slot[i].Size)
	if b.slots[number] = slices.Concat(slot[:i], slot[i+1:]); len(slot) == 1 {
		delete(b.slots, number)
	}
}

// Advance says that all blocks below next are committed, and lets go of their candidates.
func (b *Buffer) Advance(next uint64) {
	for number := b.next; number < min(next, b.next+Window); number++ {
		for _, c := range b.slots[number] {
			b.count(c, -c.Size)
		}
		delete(b.slots, number)
	}
	b.next = max(b.next, next)
}

func (b *Buffer) count(c Candidate, size int) {
	b.bytes += size
	if b.share[c.From] += size; b.share[c.From] == 0 {
		delete(b.share, c.From)
	}
}

func brought(slot []Candidate, from peer.ID) bool {
	return slices.ContainsFunc(slot, func(c Candidate) bool { return c.From == from })
}
