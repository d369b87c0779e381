// SPDX-License-Identifier: Apache-2.0

package host

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Who is told to be unreachable, and when.
func TestUnreachable(t *testing.T) {
	low, high := member("a"), member("z") // the lower ID dials first
	play(t, map[string]func(s *script){
		"who does not come back is told once, while dialing goes on": func(s *script) {
			s.wants(low, high)
			s.starts(high)
			s.ends(high, "z", nil)
			s.isUp(low)
			s.disconnected(s.now(), high.id)
			s.disconnected(s.now(), low.id)
			s.after(grace - 1)
			s.starts(low, high)
			s.tells()
			s.waits(1, 1)
			s.tells(low.id, high.id)
			s.after(5 * time.Second)
			s.ends(high, "z", errDown)
			s.waits(firstRetry/2, firstRetry)
			s.starts(high)
			s.ends(high, "z", errDown)
			s.after(time.Hour)
			s.tells()
		},
		"who cannot be reached when new is told at once, and once": func(s *script) {
			s.wants(high)
			s.starts(high)
			s.ends(high, "", errDown)
			s.tells(high.id)
			s.waits(firstRetry/2, firstRetry)
			s.starts(high)
			s.ends(high, "", errDown)
			s.after(time.Hour)
			s.tells()
		},
		"who cannot be reached when new must have been silent since that was tried, who was lost need not": func(s *script) {
			s.wants(high, member("y"))
			s.starts(high, member("y"))
			begun := s.now()
			s.ends(member("y"), "y", nil)
			s.after(5 * time.Second)
			s.done(s.now(), attempt{target: high, err: errDown, begun: begun})
			s.tells(high.id)
			require.Equal(s.T, begun, s.unheard(high.id))
			s.disconnected(s.now(), "y")
			s.after(grace)
			s.tells("y")
			require.Zero(s.T, s.unheard("y"))
		},
		"a redial that fails at once is no reason to tell earlier": func(s *script) {
			s.wants(high)
			s.isUp(high)
			s.disconnected(s.now(), high.id)
			s.waits(0, spread)
			s.starts(high)
			s.ends(high, "z", errDown)
			s.tells()
			s.after(grace)
			s.tells(high.id)
		},
		"who is connected again in time is not told": func(s *script) {
			s.wants(high)
			s.isUp(high)
			s.disconnected(s.now(), high.id)
			s.waits(0, spread)
			s.starts(high)
			s.after(grace / 2)
			s.ends(high, "z", nil)
			s.after(time.Hour)
			s.tells()
		},
		"who is connected but does not authenticate is reachable, until the connection ends": func(s *script) {
			s.wants(high)
			s.isUp(high)
			s.disconnected(s.now(), high.id)
			s.waits(0, spread)
			s.starts(high)
			s.connected(s.now(), high.id)
			s.after(grace)
			s.tells()
			s.done(s.now(), attempt{target: high, peer: high.id, err: errDown, linked: true})
			s.after(time.Hour)
			s.tells()
			s.disconnected(s.now(), high.id)
			s.after(grace)
			s.tells(high.id)
			s.disconnected(s.now(), high.id)
			s.after(grace)
			s.tells()
		},
		"who is not wanted any more is not told": func(s *script) {
			s.wants(high)
			s.isUp(high)
			s.disconnected(s.now(), high.id)
			s.waits(0, spread)
			s.starts(high)
			s.wants()
			s.after(grace)
			s.tells()
		},
		"who hangs up at once is told, but not dialed in a loop": func(s *script) {
			s.wants(high)
			s.starts(high)
			for i, most := range []time.Duration{0, 1, 2, 4, 8, 10, 10} {
				s.ends(high, "z", nil)
				s.after(time.Second)
				s.disconnected(s.now(), high.id)
				s.after(grace)
				s.tells(high.id)
				if i > 0 {
					s.waits(most*time.Second/2-grace, most*time.Second-grace)
				}
				s.starts(high)
			}
			s.ends(high, "z", nil)
			s.after(steady)
			s.disconnected(s.now(), high.id)
			s.waits(0, spread)
			s.starts(high)
		},
		"a connection that is gone when the attempt ends is none": func(s *script) {
			s.wants(high)
			s.starts(high)
			s.done(s.now(), attempt{target: high, peer: high.id, linked: false})
			s.tells(high.id)
			s.waits(firstRetry/2, firstRetry)
			s.starts(high)
		},
	})
}
