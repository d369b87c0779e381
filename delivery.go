// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"slices"
	"sync"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/internal/block"
)

// Delivery says how the channel's live blocks come: those that were announced before they were committed, the latest 100 at
// most. Blocks of a catch-up are not among them.
type Delivery struct {
	Blocks int
	// Spread is the time to the commit since the first announcement, or since our own source brought the block.
	Spread Times
	// Age is the time to the commit since the time in the block's first transaction, by the clock of whoever made that.
	Age Times
	// Relayed are the latest blocks that the relay brought, 100 at most; Complete is the time from the first announcement of each,
	// or its first piece, to the last, and Distance that time by the least that it could have taken; see [relay.Complete].
	Relayed  int
	Complete Times
	Distance Distance
	// Tally is of all blocks since the start, and not of the latest alone.
	blocksync.Tally
}

// Times are some times in short.
type Times struct{ Median, Worst time.Duration }

// Distance is how far blocks are from the floor: 1 is on it. All is 0 where that is not known.
type Distance struct{ Last, Median, Worst float64 }

// delivery takes the times of live blocks. It is bounded: announcements above the window are not valid. Its methods are safe for
// concurrent use.
type delivery struct {
	mu     sync.Mutex // guards all below
	height uint64
	first  map[uint64]time.Time // when a block above the height was announced first
	made   map[uint64]time.Time // the time in it, once it is verified
	spread []time.Duration      // of the latest blocks, the oldest first
	age    []time.Duration

	complete []time.Duration // of the latest that were relayed
	distance []float64
}

func newDelivery(height uint64) *delivery {
	return &delivery{height: height, first: map[uint64]time.Time{}, made: map[uint64]time.Time{}}
}

// announced notes that somebody has announced a block: a peer, or our own source by bringing it.
func (d *delivery) announced(number uint64, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.first[number]; !known && number >= d.height {
		d.first[number] = now
	}
}

// verified notes the time in a block that is about to be committed.
func (d *delivery) verified(b *common.Block) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, live := d.first[b.Header.Number]; !live {
		return
	}
	if len(b.GetData().GetData()) == 0 {
		return
	}
	if h, err := block.ChannelHeader(b.Data.Data[0]); err == nil && h.Timestamp.IsValid() {
		d.made[b.Header.Number] = h.Timestamp.AsTime()
	}
}

// committed takes the times of all blocks below height, and gives them to see, which gets an age of 0 where there is none.
func (d *delivery) committed(height uint64, now time.Time, see func(spread, age time.Duration)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for ; d.height < height; d.height++ {
		at, live := d.first[d.height]
		if !live {
			continue
		}
		spread, age := now.Sub(at), time.Duration(0)
		d.spread = push(d.spread, spread)
		if made, known := d.made[d.height]; known {
			age = max(0, now.Sub(made)) // clocks differ
			d.age = push(d.age, age)
		}
		see(spread, age)
		delete(d.first, d.height)
		delete(d.made, d.height)
	}
}

// relayed takes the times of a block that the relay has brought; a floor of 0 is not known.
func (d *delivery) relayed(took, floor time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.complete = push(d.complete, took)
	if floor > 0 {
		d.distance = push(d.distance, took.Seconds()/floor.Seconds())
	}
}

// push adds the next of the latest.
func push[T any](latest []T, next T) []T {
	if len(latest) == recent {
		latest = latest[1:]
	}
	return append(latest, next)
}

// show returns a copy.
func (d *delivery) show(t blocksync.Tally) Delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := Delivery{
		Blocks: len(d.spread), Spread: inShort(d.spread), Age: inShort(d.age),
		Relayed: len(d.complete), Complete: inShort(d.complete), Tally: t,
	}
	if n := len(d.distance); n > 0 {
		sorted := slices.Sorted(slices.Values(d.distance))
		out.Distance = Distance{Last: d.distance[n-1], Median: sorted[n/2], Worst: sorted[n-1]}
	}
	return out
}

func inShort(times []time.Duration) Times {
	if len(times) == 0 {
		return Times{}
	}
	sorted := slices.Sorted(slices.Values(times))
	return Times{Median: sorted[len(sorted)/2], Worst: sorted[len(sorted)-1]}
}
