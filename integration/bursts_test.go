// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/simtest"
)

// TestBursts: blocks at the rates of a busy orderer, over whole nodes on 1 Gbit/s. Everybody commits all of them in order,
// none is dropped or asked for, and nothing piles up: once connections have sped up, a block takes as long as one alone. The benchmark has
// the same with more peers and blocks.
func TestBursts(t *testing.T) {
	if testing.Short() {
		t.Skip("bytes cost")
	}
	for _, c := range []struct {
		spreadCase
		within, alone time.Duration // of every block, and of those of the second half
	}{
		{spreadCase{peers: 6, size: 16 * kB, mbps: 1000, rtt: 50 * ms, every: 10 * ms, blocks: 60}, 120 * ms, 40 * ms},
		{spreadCase{peers: 6, size: mB, mbps: 1000, rtt: 50 * ms, every: 50 * ms, blocks: 12}, 250 * ms, 80 * ms},
	} {
		t.Run(c.describe(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := spread(t, "weft", c.spreadCase)
				require.Zero(t, s.missing())
				require.Less(t, slices.Max(s.toAll()), c.within)
				require.Less(t, slices.Max(s.toAll()[c.blocks/2:]), c.alone)
				require.Zero(t, s.after.dropped, "dropped")
				require.Zero(t, s.after.repaired, "nothing was missing, so nothing is asked for")
				require.Less(t, s.copies(), 1.3)
			})
		})
	}
}

// TestBurstsPastASlowPeer: a peer whose link carries a quarter of what comes. Nobody waits for it; what waits for it at others
// is bounded, and what they drop is counted; when the burst is over it fetches what it lacks.
func TestBurstsPastASlowPeer(t *testing.T) {
	if testing.Short() {
		t.Skip("bytes cost")
	}
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, simtest.Link{Latency: 25 * ms, BitsPerSecond: 1e9}, 1, 4)
		n.SetLink(3, simtest.Link{Latency: 25 * ms, BitsPerSecond: 40e6})
		n.counts = prometheus.NewRegistry()
		for _, p := range n.peers {
			p.options = []weft.Option{weft.WithRegisterer(n.counts)}
		}
		n.startAll()
		n.order(30, mB, 50*ms)
		n.requireAll(300*ms, n.peers[:3]...)
		slow := n.peers[3].channel
		require.Less(t, slow.Height(), n.orderer.Height(), "it takes a quarter of what comes")
		n.requireAll(30*time.Second, n.peers...) // 6 s are 30 MB at 40 Mbit/s
		got := n.read()
		require.Positive(t, got.dropped)
		require.Positive(t, got.repaired)
	})
}
