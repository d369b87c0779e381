// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// uploadBytes is how many bytes of answers are under way at one time, uploadLeast how many answers at least. What fits
	// into a round trip of a fast link need not wait; above it, answers side by side only make all of them late.
	uploadBytes, uploadLeast = 2 << 20, 2
	// uploadWait is how long a request waits for its turn before it is told to ask somebody else.
	uploadWait = 2 * time.Second
)

// errBusy says that a request waited in vain for its turn.
var errBusy = errors.New("blocksync: too many answers under way")

// uploads shares out what one channel sends. When many ask at once for the block that was just announced, a few are
// answered, and as these get it, the others are sent on to them: so the block takes a tree, and no uplink carries it to
// everybody.
type uploads struct {
	mu      sync.Mutex // guards all below
	active  int
	bytes   int
	waiting []*waiter // longest waiting first
}

// waiter is a request that waits. turn gets one value: empty for its turn, or the peer to ask instead.
type waiter struct {
	reader peer.ID
	blocks span
	size   int
	turn   chan peer.ID
}

// span is a run of block numbers, both ends included.
type span struct{ first, last uint64 }

func (s span) holds(number uint64) bool { return s.first <= number && number <= s.last }

// enter waits for the turn of a request of about size bytes. It returns the peer to ask instead, if somebody has just
// received what is asked for; otherwise leave is due. It returns errBusy after uploadWait, and ctx's error.
func (u *uploads) enter(ctx context.Context, reader peer.ID, blocks span, size int) (instead peer.ID, err error) {
	w := &waiter{reader: reader, blocks: blocks, size: size, turn: make(chan peer.ID, 1)}
	u.mu.Lock()
	u.waiting = append(u.waiting, w)
	u.admit()
	u.mu.Unlock()
	timer := time.NewTimer(uploadWait)
	defer timer.Stop()
	select {
	case instead = <-w.turn:
		return instead, nil
	case <-timer.C:
		err = errBusy
	case <-ctx.Done():
		err = ctx.Err()
	}
	u.giveUp(w)
	return "", err
}

// giveUp takes back a request; if its turn has just come, somebody else gets it.
func (u *uploads) giveUp(w *waiter) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.waiting = slices.DeleteFunc(u.waiting, func(other *waiter) bool { return other == w })
	select {
	case instead := <-w.turn:
		if instead == "" {
			u.free(w.size)
		}
	default:
	}
}

// leave ends an answer of which the reader got some blocks, nil if none: half of those who wait for one of them first are
// sent on to the reader, which shares them out in the same way.
func (u *uploads) leave(reader peer.ID, size int, got *span) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.free(size)
	if got == nil {
		return
	}
	away := true // every second one goes; who waits longest stays
	u.waiting = slices.DeleteFunc(u.waiting, func(w *waiter) bool {
		if w.reader == reader || !got.holds(w.blocks.first) {
			return false
		}
		if away = !away; away {
			w.turn <- reader
		}
		return away
	})
}

// free ends an answer and admits who fits in. The lock is held.
func (u *uploads) free(size int) {
	u.active--
	u.bytes -= size
	u.admit()
}

// admit gives their turn to those who wait, in order, as long as there is room. The lock is held.
func (u *uploads) admit() {
	for len(u.waiting) > 0 {
		w := u.waiting[0]
		if u.active >= uploadLeast && u.bytes+w.size > uploadBytes {
			return
		}
		u.active++
		u.bytes += w.size
		u.waiting = slices.Delete(u.waiting, 0, 1)
		w.turn <- ""
	}
}
