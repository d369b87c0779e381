// SPDX-License-Identifier: Apache-2.0

package leader

import "time"

// maxOwed is how many blocks a source under suspicion owes at most: one that is far behind need not catch up within the
// timeout, only bring that many. It bounds how slowly a source can let blocks drip while more are known.
const maxOwed = 16

// suspicion says whether a source withholds blocks: whether one that is known to exist, because its header was verified, has not
// come for longer than the timeout. The rule is that of Fabric's censorship monitor, with two additions: a source owes at most
// maxOwed blocks at a time, and what the receiver makes it wait is not held against it. Pure: now is an argument.
type suspicion struct {
	timeout time.Duration
	next    uint64    // number of the next block that the source has to bring
	known   uint64    // blocks below it are known to exist
	owed    uint64    // the suspicion ends when the source has brought the blocks below it; 0: there is none
	since   time.Time // when the suspicion began
	busy    time.Time // since when the receiver makes the source wait; zero: it does not
}

// sighting is what a suspicion hears of.
type sighting int

const (
	looked  sighting = iota // nothing: the time has passed
	exists                  // the blocks below a number are known to exist
	brought                 // the source has brought the block with a number; the receiver is busy with it
	ready                   // the receiver is ready for the next block
)

// step takes what was sighted and returns whether the source withholds.
func (s *suspicion) step(now time.Time, what sighting, number uint64) bool {
	switch what {
	case exists:
		s.known = max(s.known, number)
	case brought:
		s.next, s.busy = number+1, now
	case ready:
		s.excuse(now)
	}
	if s.next >= s.owed {
		s.owed = 0
	}
	if s.owed == 0 && s.known > s.next {
		s.owed, s.since = min(s.known, s.next+maxOwed), now
	}
	return s.owed > 0 && s.busy.IsZero() && now.Sub(s.since) >= s.timeout
}

// excuse takes from a suspicion the time for which the receiver was busy.
func (s *suspicion) excuse(now time.Time) {
	if from := later(s.busy, s.since); s.owed > 0 && !s.busy.IsZero() {
		s.since = s.since.Add(now.Sub(from))
	}
	s.busy = time.Time{}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
