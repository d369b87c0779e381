// SPDX-License-Identifier: Apache-2.0

package host

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Who is attempted when.
func TestPlan(t *testing.T) {
	low, high := member("a"), member("z") // the lower ID dials first
	play(t, map[string]func(s *script){
		"the lower ID dials first": func(s *script) {
			s.wants(low, high)
			s.starts(high)
			s.waits(tieBreak, tieBreak)
			s.starts(low)
		},
		"ourselves are never dialed": func(s *script) {
			s.wants(target{id: self})
			s.starts()
		},
		"one attempt at a time": func(s *script) {
			s.wants(high)
			s.starts(high)
			s.wants(high)
			s.connected(s.now(), high.id)
			s.after(time.Hour)
			s.starts()
		},
		"slots are a limit, and who waits longest goes first": func(s *script) {
			s.wants(member("x"))
			s.after(time.Second)
			s.wants(member("x"), member("y"))
			got, _ := s.due(s.now(), 1, 0)
			require.Equal(s.T, []target{member("x")}, got)
			got, _ = s.due(s.now(), 0, 0)
			require.Empty(s.T, got)
			got, _ = s.due(s.now(), 5, 0)
			require.Equal(s.T, []target{member("y")}, got)
		},
		"who failed before does not take the last slots, and comes after the others": func(s *script) {
			s.wants(member("x"), member("y"))
			s.starts(member("x"), member("y"))
			s.ends(member("x"), "x", errDown)
			s.ends(member("y"), "y", errDown)
			s.after(time.Minute)
			s.wants(member("x"), member("y"), member("z"))
			got, _ := s.due(s.now(), 2, 2)
			require.Equal(s.T, []target{member("z")}, got)
			got, _ = s.due(s.now(), 2, 2)
			require.Empty(s.T, got)
			got, _ = s.due(s.now(), 3, 2)
			require.Len(s.T, got, 1)
		},
		"failures back off to ten seconds": func(s *script) {
			s.wants(high)
			told := []peer.ID{high.id} // once: it was new
			for _, most := range []time.Duration{1, 2, 4, 8, 10, 10, 10, 10} {
				s.starts(high)
				s.ends(high, "z", errDown)
				s.tells(told...)
				s.waits(most*time.Second/2, most*time.Second)
				told = nil
			}
		},
		"a lost connection is dialed at once by the lower ID": func(s *script) {
			s.wants(high)
			s.isUp(high)
			s.disconnected(s.now(), high.id)
			s.waits(0, spread)
			s.starts(high)
		},
		"and a moment later by the other": func(s *script) {
			s.wants(low)
			s.isUp(low)
			s.disconnected(s.now(), low.id)
			s.waits(stagger, stagger+spread)
			s.starts(low)
		},
		"who hangs up again and again is not authenticated without a wait either": func(s *script) {
			s.wants(high)
			s.starts(high)
			for range 2 {
				s.ends(high, "z", nil)
				s.disconnected(s.now(), high.id)
				s.after(lastRetry)
				s.tells(high.id)
				s.starts(high)
			}
			for range 6 {
				s.ends(high, "z", nil)
				s.disconnected(s.now(), high.id)
				s.after(grace)
				s.tells(high.id)
				s.connected(s.now(), high.id)
				s.waits(0, firstRetry)
				s.starts(high)
			}
		},
		"who dials us is authenticated without waiting for the back-off": func(s *script) {
			s.wants(high)
			told := []peer.ID{high.id}
			for range 6 {
				s.starts(high)
				s.ends(high, "z", errDown)
				s.tells(told...)
				s.waits(0, lastRetry)
				told = nil
			}
			s.starts(high)
			s.ends(high, "z", errDown)
			s.connected(s.now(), high.id)
			s.waits(firstRetry, firstRetry)
		},
		"not wanted any more": func(s *script) {
			s.wants(low, high)
			s.starts(high)
			s.wants()
			s.after(time.Hour)
			s.starts()
			s.ends(high, "z", nil)
			protect, wanted, _ := s.kept()
			require.Empty(s.T, protect)
			require.Zero(s.T, wanted)
		},
		"wanted again while the attempt runs": func(s *script) {
			s.wants(high)
			s.starts(high)
			s.wants()
			s.wants(high)
			s.starts()
			s.ends(high, "z", nil)
			_, wanted, up := s.kept()
			require.Equal(s.T, []int{1, 1}, []int{wanted, up})
		},
		"what is not expected is ignored": func(s *script) {
			s.connected(s.now(), "nobody")
			s.disconnected(s.now(), "nobody")
			s.ends(member("nobody"), "nobody", nil)
			s.tells()
			s.starts()
		},
	})
}

func TestWaitIsBounded(t *testing.T) {
	for target, last := range map[target]time.Duration{member("a"): lastRetry, address("boot"): lastRetryAddress} {
		rapid.Check(t, func(t *rapid.T) {
			p := newPlan(self, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)))
			d := p.wait(target, rapid.IntRange(1, 1<<30).Draw(t, "failures"))
			require.GreaterOrEqual(t, d, firstRetry/2)
			require.LessOrEqual(t, d, last)
		})
	}
}
