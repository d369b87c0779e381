// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/membership"
)

func TestPace(t *testing.T) {
	const s = time.Second
	tests := map[string]struct {
		interval, expiration time.Duration
		members              int
		want                 time.Duration
	}{
		"alone":                         {5 * s, 25 * s, 0, 5 * s},
		"few":                           {5 * s, 25 * s, 32, 5 * s},
		"in proportion":                 {5 * s, 25 * s, 40, 6250 * time.Millisecond},
		"half as long again":            {5 * s, 25 * s, 48, 7500 * time.Millisecond},
		"no longer than that":           {5 * s, 25 * s, 4096, 7500 * time.Millisecond},
		"patient":                       {5 * s, 60 * s, 4096, 7500 * time.Millisecond},
		"short expiration":              {5 * s, 20 * s, 4096, 6 * s},
		"expiration of a few intervals": {5 * s, 10 * s, 4096, 5 * s},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			timing := membership.Timing{AliveInterval: test.interval, AliveExpiration: test.expiration, ExpirationFactor: 20}
			require.NoError(t, timing.Validate())
			require.Equal(t, test.want, timing.Pace(test.members))
			require.Less(t, timing.Quiet()*11/10, timing.AliveExpiration, "one that is a tenth late comes in time")
			require.GreaterOrEqual(t, timing.Quiet(), timing.Pace(test.members))
		})
	}
	d := membership.DefaultTiming()
	require.Less(t, 3*d.Pace(100)*11/10, d.AliveExpiration, "two heartbeats may be lost")
}
