// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"sync"
	"time"
)

// Patience is how long a block may be known to exist and not be here before streams are sent elsewhere.
const Patience = 5 * time.Second

// Lag notices that a chain stays behind headers that are verified. Its method is safe for concurrent use.
type Lag struct {
	mu    sync.Mutex // guards marks
	marks []mark     // of headers above the height, oldest first
}

// mark says since when the headers below a height are known.
type mark struct {
	below uint64
	since time.Time
}

// Observe takes note of the height and of the height of the verified headers, at a moment that is not before the last one. The error says
// which block has been missing for longer than [Patience]. How early that is noticed depends on how often it is called.
func (l *Lag) Observe(now time.Time, height, verified uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.marks) > 0 && l.marks[0].below <= height {
		l.marks = l.marks[1:]
	}
	known := height
	if n := len(l.marks); n > 0 {
		known = l.marks[n-1].below
	}
	if verified > known {
		l.marks = append(l.marks, mark{verified, now})
	}
	if len(l.marks) == 0 || now.Sub(l.marks[0].since) < Patience {
		return nil
	}
	first := l.marks[0]
	return fmt.Errorf("block %d was made %s ago and is not here; another source may have it", first.below-1, now.Sub(first.since).Truncate(time.Second))
}
