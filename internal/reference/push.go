// SPDX-License-Identifier: Apache-2.0

package reference

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// core.yaml: propagatePeerNum, maxPropagationBurstLatency, maxPropagationBurstSize. propagateIterations is 1.
const (
	fanOut       = 3
	burstLatency = 10 * time.Millisecond
	burstSize    = 10
)

// parcel is a block that is to be pushed, and who brought it.
type parcel struct {
	item
	from peer.ID
}

// pass leaves a block to be pushed with the next batch. The lock is held.
func (f *Fabric) pass(p parcel) {
	if f.Mute {
		return
	}
	f.waiting = append(f.waiting, p)
	if len(f.waiting) >= burstSize {
		f.flush()
		return
	}
	select {
	case f.waking <- struct{}{}:
	default:
	}
}

// pushForever flushes what waits, every 10 ms while anything does: Fabric looks every 10 ms, whatever waits.
func (f *Fabric) pushForever(ctx context.Context) {
	f.mu.Lock()
	grid := time.Now().Add(time.Duration(f.Rand.Int64N(int64(burstLatency))))
	f.mu.Unlock()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.waking:
			timer.Reset(burstLatency - time.Since(grid)%burstLatency)
		case <-timer.C:
			f.mu.Lock()
			f.flush()
			f.mu.Unlock()
		}
	}
}

// flush pushes what waits, all of it to the same three peers; who brought a block does not get it back, and nobody takes his
// place. The lock is held.
func (f *Fabric) flush() {
	to := f.some(fanOut)
	for _, p := range f.waiting {
		frame := message{kind: push, items: []item{p.item}}.frame()
		for _, id := range to {
			if id != p.from {
				f.send(id, frame)
			}
		}
	}
	f.waiting = nil
}
