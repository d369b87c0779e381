// SPDX-License-Identifier: Apache-2.0

package host

import (
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

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
				if rapid.Bool().Draw(t, "spare") {
					wanted[target{addr: "spare", spare: true}] = struct{}{}
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
