// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"cmp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/simtest"
)

// steady are pieces of a body that come one after the other, at a rate of bytes per second.
func steady(after time.Duration, pieces, bytes int, rate float64, relayed bool) (all []relay.Arrival) {
	each := time.Duration(float64(bytes) / rate * float64(time.Second))
	for i := range pieces {
		all = append(all, relay.Arrival{At: after + time.Duration(i+1)*each, Bytes: bytes, Relayed: relayed})
	}
	return all
}

func TestFloorOfABody(t *testing.T) {
	const (
		ms   = time.Millisecond
		rate = 10e6 // bytes per second
	)
	end := func(all []relay.Arrival) time.Duration { return all[len(all)-1].At }
	fast := steady(25*ms, 100, 10_000, rate, true) // 100 ms on the wire
	for name, c := range map[string]struct {
		before, pieces []relay.Arrival
		wait           time.Duration // at the end
		took, floor    time.Duration
	}{
		"relayed, as fast as can be":       {nil, fast, 0, 125 * ms, 125 * ms},
		"from the source, no hop":          {nil, steady(0, 100, 10_000, rate, false), 0, 100 * ms, 100 * ms},
		"late to begin":                    {nil, steady(75*ms, 100, 10_000, rate, true), 0, 175 * ms, 125 * ms},
		"slower than the one before":       {fast, steady(25*ms, 100, 10_000, rate/2, true), 0, 225 * ms, 125 * ms},
		"the last piece was late":          {fast, fast, 300 * ms, 425 * ms, 125 * ms},
		"over a short hop":                 {nil, steady(5*ms, 100, 10_000, rate, true), 0, 105 * ms, 105 * ms},
		"pieces before the announcement":   {nil, steady(-20*ms, 100, 10_000, rate, false), 0, 99 * ms, 99 * ms},
		"small, and the rate is known":     {fast, steady(25*ms, 1, 10_000, rate, true), 0, 26 * ms, 25 * ms},
		"small, and the rate is not known": {nil, steady(26*ms, 2, 1_000, rate, true), 0, 26200 * time.Microsecond, 25 * ms},
		"one piece of the source":          {nil, steady(0, 1, 1_000, rate, false), 0, 100 * time.Microsecond, 0},
		"after a small burst":              {steady(25*ms, 3, 5_000, 1e9, true), fast, 0, 125 * ms, 125 * ms},
		"after one that came in a moment":  {[]relay.Arrival{{ms, 0, true}, {ms, 500_000, true}}, fast, 0, 125 * ms, 125 * ms},
		"faster than the one before":       {fast, steady(25*ms, 100, 10_000, 4*rate, true), 0, 50 * ms, 50 * ms},
		"all at once":                      {nil, []relay.Arrival{{ms, 500_000, true}, {ms, 500_000, true}}, 0, ms, ms},
		"empty":                            {nil, []relay.Arrival{{At: ms}}, 0, ms, 0},
	} {
		t.Run(name, func(t *testing.T) {
			body := relay.Receiver(25 * ms)
			if c.before != nil {
				body(c.before, end(c.before))
			}
			took, floor := body(c.pieces, end(c.pieces)+c.wait)
			require.Equal(t, c.took, took)
			require.InDelta(t, c.floor.Seconds(), floor.Seconds(), 0.0012, "but for the piece that starts the clock of the rate")
		})
	}
}

// TestFloorIsBelowWhatIsPossible: over links of any rate and latency, and a source whose relays keep up, bodies are on the floor.
func TestFloorIsBelowWhatIsPossible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hop := time.Duration(rapid.Int64Range(0, int64(200*time.Millisecond)).Draw(t, "hop"))
		rate := rapid.Float64Range(1e5, 1e10).Draw(t, "bytes per second")
		body := relay.Receiver(hop)
		for range rapid.IntRange(1, 50).Draw(t, "bodies") {
			pieces := steady(hop, rapid.IntRange(32, 500).Draw(t, "pieces"), rapid.IntRange(1<<10, 32<<10).Draw(t, "bytes"), rate, true)
			took, floor := body(pieces, pieces[len(pieces)-1].At)
			if len(pieces)*pieces[0].Bytes > 64<<10 {
				require.InEpsilon(t, 1, took.Seconds()/floor.Seconds(), 0.05)
			}
		}
	})
}

// TestFloorWithstandsAnything: whatever pieces come, no floor is below zero, and no body below its floor.
func TestFloorWithstandsAnything(t *testing.T) {
	anything := rapid.Custom(func(t *rapid.T) relay.Arrival {
		return relay.Arrival{
			At:    time.Duration(rapid.Int64Range(-int64(time.Second), int64(1000*time.Hour)).Draw(t, "at")),
			Bytes: rapid.IntRange(0, 1<<20).Draw(t, "bytes"), Relayed: rapid.Bool().Draw(t, "relayed"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		hop := time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "hop"))
		body := relay.Receiver(hop)
		for range rapid.IntRange(1, 100).Draw(t, "bodies") {
			pieces := rapid.SliceOfN(anything, 1, 20).Draw(t, "pieces")
			slices.SortFunc(pieces, func(a, b relay.Arrival) int { return cmp.Compare(a.At, b.At) })
			took, floor := body(pieces, max(0, pieces[len(pieces)-1].At))
			require.GreaterOrEqual(t, floor, time.Duration(0))
			require.LessOrEqual(t, floor, took)
		}
	})
}

// TestDistanceToTheFloor: six members, 100 Mbit/s, 50 ms round trips. Blocks of 1 MB take 84 ms on the wire and a hop of 25 ms more
// than their announcement; all receivers say that they are near that, and never that they were below it. When all ways become
// three times as long they are farther from it: by the round trips and the rate of before.
func TestDistanceToTheFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 20
		net := simtest.New(t, simtest.Link{Latency: 25 * time.Millisecond, BitsPerSecond: 100e6})
		m := emptyMesh(t, net)
		m.populate(net, 6)
		var seen distances
		for _, n := range m.nodes {
			n.channel.Complete = seen.of(n.channel.Complete)
		}
		m.run()
		for number := range uint64(5) {
			if number == 2 {
				seen.take() // the first met congestion windows that had not grown
			}
			m.publish(0, number, size)
			time.Sleep(time.Second)
		}
		near := seen.take()
		require.Len(t, near, 3*5)
		for _, c := range near {
			require.InDelta(t, 0.105, c.Floor.Seconds(), 0.005, "block %d", c.Number)
			require.InDelta(t, 1.12, c.Took.Seconds()/c.Floor.Seconds(), 0.1, "block %d in %s", c.Number, c.Took)
		}
		net.SetLatency(func(int, int) time.Duration { return 75 * time.Millisecond })
		m.publish(0, 5, size)
		time.Sleep(3 * time.Second)
		far := seen.take()
		require.Len(t, far, 5)
		for _, c := range far {
			require.InDelta(t, 0.095, c.Floor.Seconds(), 0.015)
			require.Greater(t, c.Took.Seconds()/c.Floor.Seconds(), 1.5, "in %s", c.Took)
		}
	})
}

// distances are bodies that came.
type distances struct {
	mu  sync.Mutex
	all []relay.Complete
}

func (d *distances) of(next func(relay.Complete) bool) func(relay.Complete) bool {
	return func(c relay.Complete) bool {
		d.mu.Lock()
		d.all = append(d.all, c)
		d.mu.Unlock()
		return next(c)
	}
}

func (d *distances) take() []relay.Complete {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.all
	d.all = nil
	return all
}
