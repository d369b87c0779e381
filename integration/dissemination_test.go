// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"flag"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/simtest"
)

var (
	wholeTable = flag.Bool("whole", false, "BenchmarkDissemination: the whole table, not the short set; it needs -timeout 0")
	deliveries = flag.String("deliveries", "", "BenchmarkDissemination, BenchmarkLoopback: a file to add delivery times to, for internal/plot")
)

// BenchmarkDissemination answers: how long does a block take from the hands of its first peer to every other, how many
// bytes does that cost, and how far is it from the floor? Beside weft stand, on the same network, gossipsub with its
// defaults, gossipsub tuned for big messages, and a model of Fabric's gossip. Time is virtual. docs/performance.md has the method.
func BenchmarkDissemination(b *testing.B) {
	for _, c := range spreadCases {
		schemes := c.short
		if *wholeTable {
			schemes = c.whole
		}
		for _, scheme := range schemes {
			b.Run(c.name(scheme), func(b *testing.B) {
				var runs []*spreading
				for range b.N {
					inBubble(b, func(t *testing.T) { runs = append(runs, spread(t, scheme, c)) })
				}
				report(b, runs)
				if scheme == "weft" && !c.discrete {
					calibrate(b, runs)
				}
			})
		}
	}
}

// TestSpreading runs every scheme of the benchmark on small networks, with all that a case can ask for, so that the benchmark
// does not rot: everything arrives, and figures are of a possible size.
func TestSpreading(t *testing.T) {
	for _, c := range []spreadCase{
		{whole: everybody, peers: 6, size: 40 * kB, mbps: 100, rtt: 50 * ms},
		{whole: alone, peers: 8, size: 40 * kB, mbps: 100, rtt: 50 * ms, orgs: 2, leaders: 2, slow: fifth, loss: 0.01},
		{whole: alone, peers: 6, size: 40 * kB, mbps: 100, world: true, orgs: 2, hidden: true, every: 300 * ms},
		{whole: everybody, peers: 8, size: 40 * kB, mbps: 100, rtt: 50 * ms, mute: fifth},
	} {
		c.blocks = 2
		for _, scheme := range c.whole {
			t.Run(c.name(scheme), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := spread(t, scheme, c)
					requirePossible(t, s)
					if scheme == "weft" {
						requirePossible(t, spreadByEvents(s.spreadCase, s.seed))
					}
				})
			})
		}
	}
}

// requirePossible requires that everything has arrived, and that figures are of a possible size.
func requirePossible(t *testing.T, s *spreading) {
	t.Helper()
	require.Zero(t, s.missing())
	require.Greater(t, slices.Min(s.all()), s.rtt/2, "faster than light")
	require.Greater(t, s.copies(), 0.6) // the mute of gossipsub and Fabric's push take, and pass nothing on
	require.Less(t, s.copies(), 12.0)
	require.Greater(t, s.wireCopies(), s.copies()-0.2)
}

// TestSimulatorIsNearWholeNodes: the simulator of packets has the networks that whole nodes cannot run here, so on one that
// they can both have to say the same, within a tenth of the time, but for what whole nodes send besides blocks.
func TestSimulatorIsNearWholeNodes(t *testing.T) {
	c := spreadCase{peers: 8, size: 160 * kB, mbps: 100, rtt: 50 * ms, blocks: 2}
	synctest.Test(t, func(t *testing.T) {
		s := spread(t, "weft", c)
		real, sim := figuresOf([]*spreading{s}), figuresOf([]*spreading{spreadByEvents(s.spreadCase, s.seed)})
		t.Logf("whole nodes %s, %.3f copies; simulator %s, %.3f copies", real.toAll, real.copies, sim.toAll, sim.copies)
		require.InEpsilon(t, real.toAll, sim.toAll, 0.1)
		require.InDelta(t, real.copies, sim.copies, 0.1)
	})
}

// spread runs one case with one scheme.
func spread(t *testing.T, scheme string, c spreadCase) *spreading {
	c = c.filled()
	switch {
	case c.discrete:
		return spreadByEvents(c, simtest.Seed(t))
	case scheme == "weft":
		return spreadByWeft(t, c)
	}
	if c.few > 0 {
		c.blocks = c.few
	}
	return spreadByReference(t, scheme, c)
}

// inBubble runs f in virtual time: a benchmark itself cannot enter a bubble.
func inBubble(b *testing.B, f func(*testing.T)) {
	b.Helper()
	asTest(b, func(t *testing.T) { synctest.Test(t, f) })
}

// asTest runs f as a test, which a benchmark cannot be: it can enter a bubble, and its network is cleaned up when it ends.
func asTest(b *testing.B, f func(*testing.T)) {
	b.Helper()
	test := testing.InternalTest{Name: b.Name(), F: f}
	if !testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{test}) {
		b.Fatal("the run failed")
	}
}
