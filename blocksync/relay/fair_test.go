// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/simtest"
)

// TestChannelsShareAnUplinkFairly: one channel brings more than the links hold, blocks of 1 MB every 200 ms on 20 Mbit/s, and two
// others small blocks. Those have their turns between the flood's pieces, byte for byte, and come soon (in 0.18 s; in 2.6 s if
// turns were single frames) and in order; the flood comes too.
func TestChannelsShareAnUplinkFairly(t *testing.T) {
	const (
		floods, small = 12, 8
		bound         = 400 * time.Millisecond
	)
	synctest.Test(t, func(t *testing.T) {
		flood := newMesh(t, 6, simtest.Link{Latency: 20 * time.Millisecond, BitsPerSecond: 20e6})
		quiet := []*mesh{flood.beside("quiet"), flood.beside("quieter")}
		time.Sleep(time.Second)
		start := time.Now()
		quiet[0].publish(0, 0, 10_000)
		time.Sleep(time.Second)
		alone := slices.Max(quiet[0].times(0, []time.Time{start}))

		go func() {
			for number := range uint64(floods) {
				flood.publish(0, number, 1_000_000)
				time.Sleep(200 * time.Millisecond)
			}
		}()
		time.Sleep(500 * time.Millisecond)
		var sent []time.Time
		for number := range uint64(small) {
			sent = append(sent, time.Now())
			for _, m := range quiet {
				m.publish(0, number+1, 10_000)
			}
			time.Sleep(200 * time.Millisecond)
		}
		_, through := flood.nodes[5].time(floods - 1)
		require.False(t, through, "the flood was none")
		time.Sleep(20 * time.Second)
		var took []time.Duration
		for _, m := range quiet {
			took = append(took, m.times(1, sent)...)
		}
		slices.Sort(took)
		t.Logf("alone %s; beside the flood: median %s, worst %s", alone, took[len(took)/2], took[len(took)-1])
		require.Less(t, took[len(took)-1], bound)
		for _, n := range flood.nodes[1:] {
			_, through := n.time(floods - 1)
			require.True(t, through)
		}
	})
}

// times says how long blocks that node 0 published took to each of the others, the first with a number, and requires that they
// came in order.
func (m *mesh) times(number uint64, sent []time.Time) (all []time.Duration) {
	for i, n := range m.nodes[1:] {
		var last time.Time
		for k, start := range sent {
			at, ok := n.time(number + uint64(k))
			require.True(m.t, ok, "block %d at node %d", k, i+1)
			require.True(m.t, at.After(last), "block %d at node %d came before the one before", k, i+1)
			last = at
			all = append(all, at.Sub(start))
		}
	}
	return all
}
