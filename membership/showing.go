// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"time"

	"github.com/weft-p2p/weft/msp"
)

const (
	// shownFor is how many intervals the whole record is shown when somebody may
	// not know it: with the defaults the 25 s after which silence means death.
	// So who has not heard it meanwhile was cut off for long enough to miss us,
	// and is somebody new when it hears us again.
	shownFor = 5
	// remindAfter is how many intervals after a heartbeat on one topic with the
	// record there is another one, for whoever does not know it in spite of
	// everything: two minutes. Our own organization hears us on two topics.
	remindAfter = 24
)

// showing decides which heartbeats carry the whole record.
type showing struct {
	record *msp.Record // the one that others may know
	until  time.Time   // to be shown up to here
	last   time.Time   // when it was shown
}

// whole reports whether the heartbeat of now is to carry the whole record: for
// a while after it is new, and after again, when somebody new is there or
// nobody has heard us; and later every remindAfter intervals.
func (s *showing) whole(now time.Time, interval time.Duration, record *msp.Record, again bool) bool {
	if again || record != s.record {
		s.record, s.until = record, now.Add(shownFor*interval)
	}
	if now.Before(s.until) || now.Sub(s.last) >= remindAfter*interval {
		s.last = now
		return true
	}
	return false
}
