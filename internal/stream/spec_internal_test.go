// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/spectest"
)

func TestLimitsAreThoseOfTheSpec(t *testing.T) {
	require.Equal(t, map[string]string{
		"faultLimit": strconv.Itoa(FaultLimit), "faultDecay": FaultDecay.String(), "faultPause": FaultPause.String(),
		"slowEvery": slowEvery.String(), "floodEvery": floodEvery.String(),
	}, spectest.Values(t, "quotas.md", "Limits"))
	var reasons []string
	for _, row := range spectest.Table(t, "quotas.md", "Faults") {
		reasons = append(reasons, row[0])
	}
	require.Equal(t, []string{string(Oversize), string(Nonsense), string(Violation), string(Slow), string(Flood)}, reasons)
}

// TestFaultsAtTheLimit: one fault fewer does not bar, and a bar ends.
func TestFaultsAtTheLimit(t *testing.T) {
	var c conduct
	now := time.Unix(1000, 0)
	for range FaultLimit - 1 {
		_, bars := c.fault(now, Nonsense)
		require.False(t, bars)
	}
	_, bars := c.fault(now, Nonsense)
	require.True(t, bars)
	require.True(t, c.barred(now.Add(FaultPause-1)))
	require.False(t, c.barred(now.Add(FaultPause)))
	for _, r := range []struct {
		Reason
		every time.Duration
	}{{Slow, slowEvery}, {Flood, floodEvery}} {
		var c conduct
		counted := func(at time.Duration) bool { ok, _ := c.fault(now.Add(at), r.Reason); return ok }
		require.True(t, counted(0))
		require.False(t, counted(r.every-1))
		require.True(t, counted(r.every))
	}
}
