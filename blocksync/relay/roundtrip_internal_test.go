// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRoundTrips: busy moments do not count, longer ways do.
func TestRoundTrips(t *testing.T) {
	for name, c := range map[string]struct{ measured, believed []int }{
		"the first counts":               {[]int{900, 50}, []int{900, 50}},
		"a little more or less counts":   {[]int{50, 60, 40}, []int{50, 60, 40}},
		"three busy moments":             {[]int{50, 90, 150, 90, 51, 90, 90}, []int{50, 50, 50, 50, 51, 51, 51}},
		"a longer way, and busy moments": {[]int{50, 150, 90, 130, 110, 91}, []int{50, 50, 50, 50, 90, 91}},
	} {
		t.Run(name, func(t *testing.T) {
			var r roundTrip
			for i, rtt := range c.measured {
				r.add(time.Duration(rtt) * time.Millisecond)
				require.Equal(t, time.Duration(c.believed[i])*time.Millisecond, r.is, "after %d", i)
			}
		})
	}
}
