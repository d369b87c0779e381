// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRoundTrips: busy moments do not count, longer ways do.
func TestRoundTrips(t *testing.T) {
	type step struct {
		ms, is int
		doubt  bool
	}
	for name, steps := range map[string][]step{
		"the first counts":               {{900, 900, false}, {50, 50, false}},
		"a little more or less counts":   {{50, 50, false}, {60, 60, false}, {40, 40, false}},
		"two busy moments":               {{50, 50, false}, {90, 50, true}, {150, 50, true}, {51, 51, false}, {90, 51, true}, {90, 51, true}},
		"a longer way, and busy moments": {{50, 50, false}, {150, 50, true}, {90, 50, true}, {110, 90, false}, {91, 91, false}},
	} {
		t.Run(name, func(t *testing.T) {
			var r roundTrip
			for i, s := range steps {
				require.Equal(t, s.doubt, r.add(time.Duration(s.ms)*time.Millisecond), "step %d", i)
				require.Equal(t, time.Duration(s.is)*time.Millisecond, r.is, "step %d", i)
			}
		})
	}
}
