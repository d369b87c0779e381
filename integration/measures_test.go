// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/blocksync"
)

// TestEveryNodeMeasures: what a peer says of its blocks, in its status and to Prometheus. Blocks of 160 KB take 13 ms on the wire and a
// hop of 25 ms more than their announcement; one is ordered while the peer is cut off, and has to be asked for.
func TestEveryNodeMeasures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const blocks, size = 12, 160 * kB
		n := newNet(t, wan, 1, 5)
		registry := prometheus.NewRegistry()
		p := n.peers[4]
		p.options = []weft.Option{weft.WithRegisterer(registry)}
		n.startAll()
		n.order(blocks, size, 500*ms)
		n.requireAll(time.Second, n.peers...)
		time.Sleep(6 * time.Second) // until rates were taken of the last as well

		var in, rate float64
		flows := p.weft.Flows()
		require.Len(t, flows, len(n.peers)-1)
		for id, f := range flows {
			in, rate = in+float64(f.In), rate+f.InRate
			require.NotZero(t, f.Out, "to %s", id)
		}
		require.InEpsilon(t, blocks*size, in, 0.15, "each byte comes in once")
		require.Positive(t, rate)
		got := measured(t, registry)
		require.InEpsilon(t, in, got["weft_relay_neighbour_bytes_per_second in"].GetSampleSum()*5, 0.01, "each sample is of five seconds")

		n.Cut(4)
		n.order(1, size, time.Minute)
		n.Mend(4)
		n.requireAll(time.Minute, n.peers...)

		d := p.channel.Status().Delivery
		t.Logf("%+v", d)
		require.Equal(t, blocks, d.Relayed)
		require.InDelta(t, 0.042, d.Complete.Median.Seconds(), 0.01)
		require.InDelta(t, 1.1, d.Distance.Median, 0.2)
		require.GreaterOrEqual(t, d.Distance.Worst, d.Distance.Median)
		require.Positive(t, d.Distance.Last)
		require.GreaterOrEqual(t, d.Spread.Median, d.Complete.Median, "the commit comes after the last piece")
		require.Greater(t, d.Age.Median, d.Spread.Median, "the transaction was made before")
		require.InDelta(t, 1, d.Copies(), 0.15)
		require.Equal(t, map[blocksync.Repair]uint64{blocksync.Unannounced: 1}, d.Repaired)
		got = measured(t, registry)
		for _, name := range []string{"weft_block_complete_seconds", "weft_block_floor_ratio", "weft_block_spread_seconds", "weft_block_age_seconds"} {
			require.EqualValues(t, blocks, got[name+" "+channelName].GetSampleCount(), name)
		}
	})
}

// measured are the histograms of a registry, by name and their only label.
func measured(t *testing.T, r *prometheus.Registry) map[string]*dto.Histogram {
	all := map[string]*dto.Histogram{}
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if h := m.GetHistogram(); h != nil && len(m.GetLabel()) == 1 {
				all[f.GetName()+" "+m.GetLabel()[0].GetValue()] = h
			}
		}
	}
	return all
}
