// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/simtest"
)

// TestFlowsAreWhatWasSent: what a carrier says it has sent to a peer is what that peer says it has received, byte for byte; the
// rates of all are what the blocks weigh, once for each receiver; and when nothing is sent any more they fall to nothing.
func TestFlowsAreWhatWasSent(t *testing.T) {
	const (
		peers, size = 5, 50_000
		every       = 500 * time.Millisecond
	)
	synctest.Test(t, func(t *testing.T) {
		net := simtest.New(t, simtest.Link{Latency: 10 * time.Millisecond, BitsPerSecond: 100e6})
		m := emptyMesh(t, net)
		m.populate(net, peers)
		var sampled samples
		m.nodes[0].carrier.Sampled = sampled.add
		m.run()
		for number := range uint64(50) {
			m.publish(0, number, size)
			time.Sleep(every)
		}
		in, out := m.requireFlows()
		weigh := (peers - 1) * size / every.Seconds()
		t.Logf("%.0f bytes per second of blocks; sent %.0f, received %.0f", weigh, out, in)
		require.InEpsilon(t, weigh, out, 0.1)
		require.InEpsilon(t, weigh, in, 0.1)

		time.Sleep(3 * time.Minute)
		in, out = m.requireFlows()
		require.Zero(t, in+out)
		var total float64
		for _, f := range m.nodes[0].carrier.Flows() {
			total += float64(f.Out)
		}
		require.InEpsilon(t, total, sampled.out()*5, 1e-6, "samples are of five seconds each")
	})
}

// requireFlows requires that both ends of each pair agree, and returns the sums of all rates.
func (m *mesh) requireFlows() (in, out float64) {
	for i, a := range m.nodes {
		flows := a.carrier.Flows()
		require.Len(m.t, flows, len(m.nodes)-1)
		for k, b := range m.nodes {
			if k == i {
				continue
			}
			there, here := b.carrier.Flows()[a.host.ID()], flows[b.host.ID()]
			require.Equal(m.t, here.Out, there.In, "from node %d to node %d", i, k)
			require.NotZero(m.t, here.Out)
			in, out = in+here.InRate, out+here.OutRate
		}
	}
	return in, out
}

// samples are the rates that a carrier told.
type samples struct {
	mu  sync.Mutex
	sum float64
}

func (s *samples) add(_, out float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum += out
}

func (s *samples) out() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sum
}

// TestFlowsEndWithTheirStreams: of a peer that has gone nothing is kept.
func TestFlowsEndWithTheirStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 3, simtest.Link{Latency: 10 * time.Millisecond, BitsPerSecond: 100e6})
		gone := m.nodes[2].host
		require.Len(t, m.nodes[0].carrier.Flows(), 2)
		require.NoError(t, m.nodes[0].host.Network().ClosePeer(gone.ID()))
		time.Sleep(time.Second)
		require.Len(t, m.nodes[0].carrier.Flows(), 1)
		require.NotContains(t, m.nodes[0].carrier.Flows(), gone.ID())
	})
}
