// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/fair"
)

// Bounds of a reorder buffer.
const (
	// Window is how far ahead of the next block a candidate may be.
	Window = 256
	// maxCandidates is how many candidates one number may have: the true block from two sources, and forgeries.
	maxCandidates = 4
	// maxBuffered is how many bytes of candidates a channel holds, the first for the next number not counted; one identity may
	// fill a quarter of it, and the members of one organization half.
	maxBuffered = 64 << 20
	// maxParked is how many of these bytes, and parkedEach of how many candidates for a number, may be of blocks that nobody
	// asked for and that do not link to a header that we know.
	maxParked, parkedEach = 16 << 20, 2
)

// Candidate is a block that nobody has verified yet, and who brought it.
type Candidate struct {
	Block *common.Block
	From  peer.ID    // empty: our own block source
	Owner fair.Owner // whom it is charged to; the zero value: From alone
	Size  int        // in bytes, as counted against the buffer's bounds
	// Parked: nobody asked for it, and we do not know its header. It is tried at its turn, but is no reason not to ask
	// others for the number, and gives way to any that is not parked.
	Parked bool

	ahead *examination // nil as long as nobody has taken the block to examine it ahead of its turn
}

// owner is whom the candidate is charged to.
func (c Candidate) owner() fair.Owner {
	if c.Owner == (fair.Owner{}) {
		return alone(c.From)
	}
	return c.Owner
}

// alone is a peer that counts for itself.
func alone(id peer.ID) fair.Owner { return fair.Owner{Org: string(id), Identity: string(id)} }

// Outcome is what became of a candidate.
type Outcome int

// What may become of a candidate.
const (
	Stored   Outcome = iota
	Stale            // below the next number: committed already
	Beyond           // too far ahead
	Repeated         // this source, or its identity, has brought this number already
	Full             // no room: for this number, for this source, or at all
	Unusable         // cannot be a block of any channel
)

// Buffer is the reorder buffer: candidates by number, bounded in numbers, bytes, candidates per number, and bytes of an
// identity, of an organization and of what is parked.
// A nearer number pushes out what peers brought for farther ones, and the next number has room for a candidate whatever the
// bounds, so whoever fills the buffer cannot stop the chain. A block of our own source is never pushed out, and peers
// cannot take its place. It is pure; one goroutine or lock at a time.
type Buffer struct {
	next   uint64
	slots  map[uint64][]Candidate
	own    int        // bytes of our own source
	peers  fair.Tally // bytes of peers
	parked fair.Tally // of these, what is parked
}

// NewBuffer makes a buffer whose next number is next.
func NewBuffer(next uint64) *Buffer {
	return &Buffer{next: next, slots: map[uint64][]Candidate{}}
}

// Add stores a candidate, or says why not.
func (b *Buffer) Add(c Candidate) Outcome {
	number := c.Block.GetHeader().GetNumber()
	switch {
	case number < b.next:
		return Stale
	case number-b.next >= Window:
		return Beyond
	case b.brought(number, c):
		return Repeated
	case number == b.next && (c.From == "" || len(b.slots[number]) == 0):
	case c.From != "" && !b.makePlace(number, c):
		return Full
	case !b.makeRoom(c):
		return Full
	}
	b.slots[number] = slices.Insert(b.slots[number], b.behind(number, c), c)
	b.count(c, c.Size)
	return Stored
}

// behind is where a candidate belongs among those for its number: in the order in which they came, what is parked last.
func (b *Buffer) behind(number uint64, c Candidate) int {
	slot := b.slots[number]
	if i := slices.IndexFunc(slot, func(other Candidate) bool { return other.Parked }); i >= 0 && !c.Parked {
		return i
	}
	return len(slot)
}

// Has says whether there is a candidate for number that makes it needless to ask for one: one that is not parked.
func (b *Buffer) Has(number uint64) bool {
	return slices.ContainsFunc(b.slots[number], func(c Candidate) bool { return !c.Parked })
}

// Len is how many numbers have candidates.
func (b *Buffer) Len() int { return len(b.slots) }

// At returns the candidates for number, in the order in which they came, but what is parked last. Read only, and only until the next change.
func (b *Buffer) At(number uint64) []Candidate { return b.slots[number] }

// Forget drops all that a source, and whoever has its identity, has brought: one of its blocks did not verify.
func (b *Buffer) Forget(from peer.ID) {
	for _, owner := range b.owners(from) {
		for number := range b.slots {
			b.drop(number, func(c Candidate) bool { return c.From == "" && from == "" || c.From != "" && c.owner() == owner })
		}
	}
}

// owners are whom the candidates of a source are charged to.
func (b *Buffer) owners(from peer.ID) (owners []fair.Owner) {
	for _, slot := range b.slots {
		for _, c := range slot {
			if c.From == from && !slices.Contains(owners, c.owner()) {
				owners = append(owners, c.owner())
			}
		}
	}
	return owners
}

// drop drops the first candidate for number that is.
func (b *Buffer) drop(number uint64, is func(Candidate) bool) {
	slot := b.slots[number]
	i := slices.IndexFunc(slot, is)
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
	if c.From == "" {
		b.own += size
		return
	}
	b.peers.Add(c.owner(), size)
	if c.Parked {
		b.parked.Add(c.owner(), size)
	}
}
