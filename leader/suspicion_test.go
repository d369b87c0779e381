// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/leader"
)

// seen is one step of a suspicion: what was sighted how many seconds after the start, and what that shows.
type seen struct {
	at     int
	what   leader.Sighting
	number uint64
	guilty bool
}

func TestSuspicion(t *testing.T) {
	const next = 5 // number of the first block that the source has to bring
	for name, steps := range map[string][]seen{
		"nothing is known: silence is no crime":       {{3600, leader.Looked, 0, false}, {7200, leader.Exists, next, false}},
		"withheld for the timeout":                    {{1, leader.Exists, 6, false}, {30, leader.Looked, 0, false}, {31, leader.Looked, 0, true}},
		"withheld from the time that it was known":    {{1000, leader.Exists, 6, false}, {1029, leader.Looked, 0, false}, {1030, leader.Looked, 0, true}},
		"brought in time":                             {{1, leader.Exists, 6, false}, {30, leader.Brought, 5, false}, {30, leader.Ready, 0, false}, {3600, leader.Looked, 0, false}},
		"a later header does not renew the suspicion": {{0, leader.Exists, 6, false}, {20, leader.Exists, 7, false}, {30, leader.Looked, 0, true}},
		"a new suspicion has time of its own": {
			{0, leader.Exists, 6, false}, {20, leader.Exists, 7, false}, {29, leader.Brought, 5, false}, {29, leader.Ready, 0, false}, {58, leader.Looked, 0, false}, {59, leader.Looked, 0, true},
		},
		"drops of blocks do not do": { // one of ten every 29 s
			{0, leader.Exists, 15, false}, {29, leader.Brought, 5, false}, {29, leader.Ready, 0, false}, {30, leader.Looked, 0, true},
		},
		"far behind, no more than sixteen are owed": {
			{0, leader.Exists, 1000, false}, {29, leader.Brought, 20, false}, {29, leader.Ready, 0, false}, {58, leader.Looked, 0, false}, {59, leader.Looked, 0, true},
		},
		"what the receiver takes is not held against it": {
			{0, leader.Exists, 7, false}, {10, leader.Brought, 5, false}, {3600, leader.Looked, 0, false}, {3600, leader.Ready, 0, false},
			{3619, leader.Looked, 0, false}, {3620, leader.Looked, 0, true},
		},
		"a suspicion may begin while the receiver is busy": {
			{10, leader.Brought, 5, false}, {20, leader.Exists, 7, false}, {100, leader.Ready, 0, false}, {129, leader.Looked, 0, false}, {130, leader.Looked, 0, true},
		},
		"a height that goes back changes nothing": {{0, leader.Exists, 6, false}, {1, leader.Exists, 0, false}, {30, leader.Looked, 0, true}},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Unix(1e9, 0)
			s := leader.NewSuspicion(30*time.Second, next)
			for i, e := range steps {
				require.Equal(t, e.guilty, s.Step(start.Add(time.Duration(e.at)*time.Second), e.what, e.number), "step %d", i)
			}
		})
	}
}

// Whatever happens: who is found guilty owes a block that has been known for the timeout; who owes one that has been known for twice
// the timeout, and was not made to wait meanwhile, is guilty.
func TestSuspicionIsSoundAndComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const timeout = 30 * time.Second
		now, next, known := time.Unix(1e9, 0), uint64(0), uint64(0)
		s := leader.NewSuspicion(timeout, next)
		appeared := map[uint64]time.Time{} // when a number was known first
		freed := now                       // when the receiver was busy last, or the source brought something
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond)
			var guilty bool
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				guilty = s.Step(now, leader.Looked, 0)
			case 1:
				for height := known + uint64(rapid.IntRange(0, 40).Draw(t, "more")); known < height; known++ {
					appeared[known] = now
				}
				guilty = s.Step(now, leader.Exists, known)
			case 2:
				require.False(t, s.Step(now, leader.Brought, next), "it has just brought one")
				next++
				now = now.Add(time.Duration(rapid.IntRange(0, 40_000).Draw(t, "busy")) * time.Millisecond)
				guilty, freed = s.Step(now, leader.Ready, 0), now
			}
			if guilty {
				require.Less(t, next, known)
				require.GreaterOrEqual(t, now.Sub(appeared[next]), timeout)
			}
			if next < known && now.Sub(later(freed, appeared[next])) >= timeout {
				require.True(t, guilty, "block %d has been known since %v", next, appeared[next])
			}
		}
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
