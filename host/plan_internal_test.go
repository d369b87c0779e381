// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var (
	epoch   = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	errDown = errors.New("down")
)

const self = peer.ID("m")

func member(id string) target    { return target{id: peer.ID(id)} }
func address(addr string) target { return target{addr: addr} }

// script drives a plan through a scenario; at is seconds since its start.
type script struct {
	*testing.T
	*plan
	at time.Duration
}

func newScript(t *testing.T, targets ...target) *script {
	s := &script{T: t, plan: newPlan(self, rand.New(rand.NewPCG(1, 2)))}
	s.wants(targets...)
	return s
}

func (s *script) now() time.Time { return epoch.Add(s.at) }

func (s *script) wants(targets ...target) {
	set := make(map[target]struct{})
	for _, t := range targets {
		set[t] = struct{}{}
	}
	s.want(s.now(), set)
}

func (s *script) after(d time.Duration) { s.at += d }

func (s *script) starts(want ...target) {
	s.Helper()
	got, _ := s.due(s.now(), 100, 0)
	require.ElementsMatch(s.T, want, got)
}

func (s *script) ends(t target, who string, err error) {
	s.done(s.now(), attempt{target: t, peer: peer.ID(who), err: err, linked: err == nil})
}

// waits moves on to the next wake-up, which must come within the bounds.
func (s *script) waits(least, most time.Duration) {
	s.Helper()
	start, wake := s.due(s.now(), 0, 0)
	require.Empty(s.T, start)
	d := wake.Sub(s.now())
	require.GreaterOrEqual(s.T, d, least)
	require.LessOrEqual(s.T, d, most)
	s.after(d)
}

// tells requires who is reported as unreachable now.
func (s *script) tells(want ...peer.ID) {
	s.Helper()
	require.Equal(s.T, want, s.overdue(s.now()))
}

// isUp has a member connect, and be so for a minute.
func (s *script) isUp(t target) {
	s.Helper()
	s.after(tieBreak)
	s.starts(t)
	s.ends(t, string(t.id), nil)
	s.after(time.Minute)
}

func TestPlan(t *testing.T) {
	low, high := member("a"), member("z") // the lower ID dials first
	for name, play := range map[string]func(s *script){
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
		"at addresses, to 25 seconds": func(s *script) {
			boot := address("boot:7061")
			s.wants(boot)
			for _, most := range []time.Duration{1, 2, 4, 8, 16, 25, 25, 25} {
				s.starts(boot)
				s.ends(boot, "", errDown)
				s.waits(most*time.Second/2, most*time.Second)
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
		"a connection that is gone when the attempt ends is none": func(s *script) {
			s.wants(high)
			s.starts(high)
			s.done(s.now(), attempt{target: high, peer: high.id, linked: false})
			s.tells(high.id)
			s.waits(firstRetry/2, firstRetry)
			s.starts(high)
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
		"the address of a wanted member is left alone until nobody is left": func(s *script) {
			boot, there := address("boot:7061"), member("q")
			s.wants(boot, there, high)
			s.starts(boot, there, high)
			s.ends(boot, "", errDown)
			s.ends(high, "z", nil)
			s.ends(there, "q", errDown)
			s.tells(there.id)
			s.waits(firstRetry/2, firstRetry)
			s.after(firstRetry)
			s.starts(boot, there)
			s.ends(boot, "q", nil)
			s.ends(there, "q", nil)
			s.after(time.Hour)
			s.disconnected(s.now(), there.id)
			s.after(spread)
			s.starts(there) // high is still there
			s.disconnected(s.now(), high.id)
			s.after(spread)
			s.starts(boot, high)
			s.ends(boot, "", errDown)
		},
		"the address of somebody who is not wanted is dialed again, and backs off": func(s *script) {
			boot := address("boot:7061")
			s.wants(boot, high)
			s.starts(boot, high)
			s.ends(boot, "q", nil)
			s.ends(high, "z", nil)
			s.after(time.Hour)
			s.starts() // connected is connected, wanted or not
			s.disconnected(s.now(), "q")
			s.after(spread)
			s.tells() // no member
			for _, most := range []time.Duration{1, 2, 4} {
				s.starts(boot)
				s.ends(boot, "", errDown)
				s.waits(most*time.Second/2, most*time.Second)
			}
			s.starts(boot)
			s.ends(boot, "q", nil)
			s.starts()
		},
		"the address of a member that is forgotten is dialed again": func(s *script) {
			boot, there := address("boot:7061"), member("q")
			s.wants(boot, there, high)
			s.starts(boot, there, high)
			s.ends(boot, "q", nil)
			s.ends(there, "q", nil)
			s.ends(high, "z", nil)
			s.after(time.Hour)
			s.disconnected(s.now(), there.id)
			s.after(spread)
			s.starts(there)
			s.wants(boot, high) // while the attempt runs
			s.starts(boot)
			s.ends(there, "q", errDown)
		},
		"who is at an address but does not authenticate is known, and tried soon when it connects": func(s *script) {
			boot := address("boot:7061")
			s.wants(boot)
			for range 6 {
				s.starts(boot)
				s.done(s.now(), attempt{target: boot, peer: "q", err: errDown, linked: true})
				require.Equal(s.T, peer.ID("q"), s.who(boot))
				protect, _, _ := s.kept()
				require.Empty(s.T, protect)
				s.waits(firstRetry/2, lastRetryAddress)
			}
			s.starts(boot)
			s.done(s.now(), attempt{target: boot, peer: "", err: errDown})
			require.Equal(s.T, peer.ID("q"), s.who(boot))
			s.connected(s.now(), "q")
			s.waits(firstRetry, firstRetry)
			s.starts(boot)
		},
		"who was found at an address is protected": func(s *script) {
			boot := address("boot:7061")
			s.wants(boot)
			s.starts(boot)
			s.ends(boot, "b", nil)
			protect, _, _ := s.kept()
			require.Equal(s.T, map[peer.ID]struct{}{"b": {}}, protect)
		},
		"our own address is dialed once": func(s *script) {
			boot := address("me:7061")
			s.wants(boot)
			s.starts(boot)
			s.done(s.now(), attempt{target: boot, peer: self, err: ErrOwnAddress, never: true})
			s.after(time.Hour)
			s.starts()
		},
		"what is not expected is ignored": func(s *script) {
			s.connected(s.now(), "nobody")
			s.disconnected(s.now(), "nobody")
			s.ends(member("nobody"), "nobody", nil)
			s.tells()
			s.starts()
		},
	} {
		t.Run(name, func(t *testing.T) { play(newScript(t)) })
	}
}

// Whatever happens: at most one attempt per target and no more than there are slots, only wanted ones, no attempt before
// its time, and everybody who is wanted and not up is attempted within the longest wait.
func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const slots = 3
		names := []string{"a", "c", "l", "n", "y", "z"}
		seed := rapid.Uint64().Draw(t, "seed")
		p := newPlan(self, rand.New(rand.NewPCG(seed, seed)))
		now := epoch
		running := map[target]bool{}
		wanted := map[target]struct{}{}
		told := map[peer.ID]bool{}        // whose loss may be told
		waiting := map[target]time.Time{} // since when a wanted target is neither up nor running
		pick := func(label string) target {
			if rapid.IntRange(0, 4).Draw(t, label+" kind") == 0 {
				return address("boot")
			}
			return member(rapid.SampledFrom(names).Draw(t, label))
		}
		step := func() {
			for _, id := range p.overdue(now) {
				require.True(t, told[id], "told once for each loss, or when it could not be reached at first")
				delete(told, id)
			}
			start, wake := p.due(now, slots-len(running), 1)
			for _, tg := range start {
				require.False(t, running[tg], "one attempt at a time")
				require.Contains(t, wanted, tg)
				running[tg] = true
			}
			require.LessOrEqual(t, len(running), slots)
			if !wake.IsZero() {
				require.True(t, wake.After(now))
			}
			for tg := range wanted {
				s := p.targets[tg]
				if s == nil || s.up || running[tg] || tg.addr != "" && p.wanted(s.peer) || len(running) >= slots-1 {
					delete(waiting, tg)
					continue
				}
				if _, ok := waiting[tg]; !ok {
					waiting[tg] = now
				}
				require.LessOrEqual(t, s.next.Sub(waiting[tg]), max(lastRetry+tieBreak, lastRetryAddress))
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"time": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 90_000).Draw(t, "ms")) * time.Millisecond)
			},
			"want": func(t *rapid.T) {
				wanted = map[target]struct{}{}
				for _, name := range rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, "members") {
					wanted[member(name)] = struct{}{}
				}
				if rapid.Bool().Draw(t, "boot") {
					wanted[address("boot")] = struct{}{}
				}
				p.want(now, wanted)
				maps.DeleteFunc(waiting, func(tg target, _ time.Time) bool { _, ok := wanted[tg]; return !ok })
			},
			"connected": func(*rapid.T) { p.connected(now, pick("connected").id) },
			"disconnected": func(*rapid.T) {
				id := pick("disconnected").id
				if s, ok := p.targets[target{id: id}]; ok && s.up {
					told[id] = true
				}
				p.disconnected(now, id)
			},
			"done": func(t *rapid.T) {
				tg := pick("done")
				if !running[tg] {
					return
				}
				delete(running, tg)
				a := attempt{target: tg, peer: tg.id, linked: rapid.Bool().Draw(t, "linked")}
				if rapid.Bool().Draw(t, "fails") {
					a.err = errDown
				}
				if tg.addr != "" && a.err == nil {
					a.peer = rapid.SampledFrom([]peer.ID{"a", "b"}).Draw(t, "who")
				}
				if s := p.targets[tg]; s != nil && tg.id != "" && s.since.IsZero() {
					told[tg.id] = true
				}
				p.done(now, a)
			},
			"": func(*rapid.T) { step() },
		})
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

// Until somebody is connected, or nobody was at any address, more are to come.
func TestJoining(t *testing.T) {
	s := newScript(t, address("first:1"), address("own:1"))
	require.True(t, s.joining())
	s.starts(address("first:1"), address("own:1"))
	s.done(s.now(), attempt{target: address("own:1"), peer: self, never: true, err: ErrOwnAddress})
	require.True(t, s.joining())
	s.ends(address("first:1"), "", errDown)
	require.False(t, s.joining(), "nobody is there")

	s = newScript(t, address("first:1"), address("second:1"))
	s.starts(address("first:1"), address("second:1"))
	s.ends(address("first:1"), "a", nil)
	require.False(t, s.joining(), "somebody is there")
	require.False(t, newScript(t).joining(), "there is nowhere to look")
}

// A member that is connected as whoever is at an address needs no tie break: its end is noticed from the first moment on.
func TestWantWhoIsFound(t *testing.T) {
	s := newScript(t, address("first:1"))
	s.starts(address("first:1"))
	s.ends(address("first:1"), "a", nil)
	s.wants(address("first:1"), member("a"), member("b"))
	s.starts(member("a"))
	s.waits(tieBreak, tieBreak)
	s.starts(member("b"))
}
