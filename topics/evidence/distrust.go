// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"sync"
	"time"

	"github.com/weft-p2p/weft/msp"
)

const (
	// DistrustTime is how long the announcements of an identity count for nothing after it was caught: long enough that a
	// liar costs next to nothing, short enough that a fault which was repaired needs no operator at every other member.
	DistrustTime = time.Hour
	// maxDistrusted is how many identities are remembered; above it, who was caught first is forgotten.
	maxDistrusted = 1024
)

// distrust remembers who was caught, by signing key: a renewed certificate changes nothing, nor does another host key. Safe
// for concurrent use.
type distrust struct {
	mu    sync.RWMutex // guards until
	until map[msp.Key]time.Time
}

func newDistrust() *distrust { return &distrust{until: map[msp.Key]time.Time{}} }

// caught begins the time of distrust anew.
func (d *distrust) caught(id *msp.Identity, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.until[id.Key()] = at.Add(DistrustTime); len(d.until) <= maxDistrusted {
		return
	}
	oldest := id.Key()
	for key, until := range d.until {
		if until.Before(d.until[oldest]) {
			oldest = key
		}
	}
	delete(d.until, oldest)
}

// holds says whether an identity is distrusted at a time.
func (d *distrust) holds(id *msp.Identity, now time.Time) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	until, caught := d.until[id.Key()]
	return caught && now.Before(until)
}
