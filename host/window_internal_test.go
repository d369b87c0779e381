// SPDX-License-Identifier: Apache-2.0

package host

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWindow(t *testing.T) {
	w := newWindow(16)
	require.Equal(t, 4, w.size, "it starts small")
	for range 20 {
		w.connected()
	}
	require.Equal(t, 16, w.size, "and grows up to a bound")
	w.expired(epoch.Add(5*time.Second), epoch)
	require.Equal(t, 8, w.size)
	for range 7 {
		w.expired(epoch.Add(6*time.Second), epoch)
	}
	require.Equal(t, 8, w.size, "those that were under way together count once")
	for i := range time.Duration(3) {
		w.expired(epoch.Add(20*time.Second+10*i*time.Second), epoch.Add(15*time.Second+10*i*time.Second))
	}
	require.Equal(t, 4, w.size, "it does not close")
	w.connected()
	require.Equal(t, 5, w.size)
	require.Equal(t, 1, func() int { w := newWindow(1); return w.size }())
}

// The more members are missing, and the longer it takes to connect one, the longer the higher peer ID leaves the dialing to the lower.
func TestFirstTurn(t *testing.T) {
	s := newScript(t, member("z"), member("y"))
	require.Equal(t, tieBreak, s.firstTurn(member("a"), 1000), "nobody knows how long it takes")
	s.starts(member("z"), member("y"))
	s.done(s.now(), attempt{target: member("z"), peer: "z", linked: true, begun: s.now().Add(-4 * time.Second)})
	require.Equal(t, 1, s.missing(map[target]struct{}{member("z"): {}, member("y"): {}, address("x"): {}}))
	for missing, want := range map[int]time.Duration{0: tieBreak, 8: tieBreak + time.Second, 1000: longestTieBreak} {
		require.Equal(t, want, s.firstTurn(member("a"), missing), "%d", missing)
		require.Zero(t, s.firstTurn(member("z"), missing))
		require.Zero(t, s.firstTurn(address("x"), missing))
	}
}
