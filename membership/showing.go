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
	// maxBrief is how many heartbeats in a row on one topic may do without the
	// record, for whoever does not know it in spite of everything: two minutes
	// of them. Our own organization hears us on two topics.
	maxBrief = 23
)

// showing decides which heartbeats carry the whole record.
type showing struct {
	record *msp.Record // the one that others may know
	until  time.Time   // to be shown up to here
	briefs int         // heartbeats without it since
}

// whole reports whether the heartbeat of now is to carry the whole record: for
// a while after it is new, and after again, when somebody new is there or
// nobody has heard us; and later in one of maxBrief+1.
func (s *showing) whole(now time.Time, interval time.Duration, record *msp.Record, again bool) bool {
	if again || record != s.record {
		s.record, s.until = record, now.Add(shownFor*interval)
	}
	if now.Before(s.until) || s.briefs >= maxBrief {
		s.briefs = 0
		return true
	}
	s.briefs++
	return false
}
