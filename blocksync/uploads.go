// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/fair"
)

const (
	// uploadBytes is how many bytes of answers are under way at one time, uploadLeast how many answers at least. What fits
	// into a round trip of a fast link need not wait; above it, answers side by side only make all of them late.
	uploadBytes, uploadLeast = 2 << 20, 2
	// uploadTurn is how long an answer counts among those. One that takes longer has a slow reader or a slow link, and others
	// need not wait for it.
	uploadTurn = time.Second
	// uploadEach is how many answers one identity may have under way, as many as a client asks one peer for; uploadOrg and
	// uploadOrgBytes how many and how big those of an organization may be, one at least: each holds a block in memory.
	uploadEach, uploadOrg, uploadOrgBytes = fetchPerPeer, 8, 64 << 20
	// uploadWait is how long a request waits for its turn before it is told to ask somebody else.
	uploadWait = 2 * time.Second
)

// errBusy says that a request waited in vain for its turn.
var errBusy = errors.New("blocksync: too many answers under way")

// uploads shares out what one channel sends. When many ask at once for the block that was just announced, a few are
// answered, and as these get it, the others are sent on to them: so the block takes a tree, and no uplink carries it to
// everybody. Turns go to the identity, then to the organization, that has fewest answers under way.
type uploads struct {
	owner func(peer.ID) fair.Owner // nil: every peer counts for itself

	mu      sync.Mutex // guards all below
	active  int        // answers whose turn it is
	bytes   int        // of these
	answers fair.Tally // answers under way
	held    fair.Tally // bytes of these
	waiting []*waiter  // longest waiting first
}

// waiter is a request: it waits, then it is answered. turn gets one value: empty for its turn, or the peer to ask instead.
type waiter struct {
	reader peer.ID
	owner  fair.Owner
	blocks span
	size   int
	turn   chan peer.ID
	timer  *time.Timer // of its turn; nil while it waits
	over   bool        // its turn is
}

// span is a run of block numbers, both ends included.
type span struct{ first, last uint64 }

func (s span) holds(number uint64) bool { return s.first <= number && number <= s.last }

// enter waits for the turn of a request of about size bytes, after which leave is due with what it returns. It returns the
// peer to ask instead, if somebody has just received what is asked for, errBusy after uploadWait, and ctx's error.
func (u *uploads) enter(ctx context.Context, reader peer.ID, blocks span, size int) (w *waiter, instead peer.ID, err error) {
	w = &waiter{reader: reader, owner: alone(reader), blocks: blocks, size: size, turn: make(chan peer.ID, 1)}
	if u.owner != nil {
		w.owner = u.owner(reader)
	}
	u.mu.Lock()
	u.waiting = append(u.waiting, w)
	u.admit()
	u.mu.Unlock()
	timer := time.NewTimer(uploadWait)
	defer timer.Stop()
	select {
	case instead = <-w.turn:
		return w, instead, nil
	case <-timer.C:
		err = errBusy
	case <-ctx.Done():
		err = ctx.Err()
	}
	u.giveUp(w)
	return nil, "", err
}

// giveUp takes back a request; if its turn has just come, somebody else gets it.
func (u *uploads) giveUp(w *waiter) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.waiting = slices.DeleteFunc(u.waiting, func(other *waiter) bool { return other == w })
	select {
	case instead := <-w.turn:
		if instead == "" {
			u.end(w)
		}
	default:
	}
}

// leave ends an answer of which the reader got some blocks, nil if none: half of those who wait for one of them first are
// sent on to the reader, which shares them out in the same way.
func (u *uploads) leave(w *waiter, got *span) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.end(w)
	if got == nil {
		return
	}
	away := true // every second one goes; who waits longest stays
	u.waiting = slices.DeleteFunc(u.waiting, func(other *waiter) bool {
		if other.reader == w.reader || !got.holds(other.blocks.first) {
			return false
		}
		if away = !away; away {
			other.turn <- w.reader
		}
		return away
	})
}

// end ends an answer and admits who fits in. The lock is held.
func (u *uploads) end(w *waiter) {
	w.timer.Stop()
	u.answers.Add(w.owner, -1)
	u.held.Add(w.owner, -w.size)
	u.pass(w)
}

// pass ends the turn of an answer, which may go on, and admits who fits in. The lock is held.
func (u *uploads) pass(w *waiter) {
	if !w.over {
		w.over = true
		u.active--
		u.bytes -= w.size
	}
	u.admit()
}

// admit gives their turn to those who wait, as long as there is room. The lock is held.
func (u *uploads) admit() {
	for {
		w := u.first()
		if w == nil || u.active >= uploadLeast && u.bytes+w.size > uploadBytes {
			return
		}
		u.active++
		u.bytes += w.size
		u.answers.Add(w.owner, 1)
		u.held.Add(w.owner, w.size)
		u.waiting = slices.DeleteFunc(u.waiting, func(other *waiter) bool { return other == w })
		w.timer = time.AfterFunc(uploadTurn, func() {
			u.mu.Lock()
			defer u.mu.Unlock()
			u.pass(w)
		})
		w.turn <- ""
	}
}

// first is whose turn comes next, nil if it is nobody's: of those who may have an answer the one whose identity, then whose
// organization has fewest, then who waits longest.
func (u *uploads) first() (next *waiter) {
	for _, w := range u.waiting {
		if u.may(w) && (next == nil || u.fewer(w.owner, next.owner)) {
			next = w
		}
	}
	return next
}

func (u *uploads) fewer(a, b fair.Owner) bool {
	return cmp.Or(cmp.Compare(u.answers.Of(a), u.answers.Of(b)), cmp.Compare(u.answers.Org(a.Org), u.answers.Org(b.Org))) < 0
}

// may says whether a request's identity and organization may have one more answer.
func (u *uploads) may(w *waiter) bool {
	org := u.answers.Org(w.owner.Org)
	return u.answers.Of(w.owner) < uploadEach && org < uploadOrg && (org == 0 || u.held.Org(w.owner.Org)+w.size <= uploadOrgBytes)
}
