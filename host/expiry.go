// SPDX-License-Identifier: Apache-2.0

package host

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// expect notes when a record ends. Callers hold mu.
func (a *acquaintances) expect(end time.Time) {
	if !a.due.IsZero() && !end.Before(a.due) {
		return
	}
	a.due = end
	select {
	case a.dated <- struct{}{}:
	default:
	}
}

// nextExpiry is when expire has to run, zero when nobody is known. No record ends before; it may be too early.
func (a *acquaintances) nextExpiry() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.due
}

// expire drops the peers whose records have ended, and returns them.
func (a *acquaintances) expire(now time.Time) (ended []peer.ID) {
	a.mu.Lock()
	a.due = time.Time{}
	for _, id := range a.peers.Keys() {
		k, _ := a.peers.Peek(id) // it is there: the lock is held
		switch end := k.record.End(); {
		case !now.Before(end):
			a.drop(id)
			ended = append(ended, id)
		case a.due.IsZero() || end.Before(a.due):
			a.due = end
		}
	}
	a.mu.Unlock()
	a.tell()
	return ended
}
