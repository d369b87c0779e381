// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/coreyaml"
	"github.com/weft-p2p/weft/internal/relaysim"
)

// spreadByEvents measures the relay's machines alone on the network of a case, in the simulator of packets: no hosts, no
// announcements on the topic, no pacing, no acknowledgements' bytes. The same seed gives the same peers the same roles as
// with whole nodes.
func spreadByEvents(c spreadCase, seed uint64) *spreading {
	roles := c.cast(rand.New(rand.NewPCG(seed, castStream)))
	s := newSpreading("weft", c, roles)
	sim := relaysim.New(c.network(roles, seed))
	blocks := make([]*relaysim.Block, c.blocks)
	for i := range blocks {
		blocks[i] = sim.Block(uint64(i+1), c.size)
		s.bytes += int64(c.size)
		for p, r := range roles {
			if r.leads {
				sim.Offer(p, blocks[i])
			}
		}
		sim.Run(c.every)
	}
	sim.Run(patience)
	s.after = reading{payload: sim.Payload, wire: sim.Wire}
	for p, r := range roles {
		if !r.leads && !r.mute {
			s.commits(sim.Peers[p], blocks)
		}
	}
	return s
}

// commits writes down when a peer of the simulator has committed each block: blocks are committed in order.
func (s *spreading) commits(p *relaysim.Peer, blocks []*relaysim.Block) {
	var committed time.Duration
	for i, b := range blocks {
		got, ok := p.Got[b.Number]
		if !ok {
			return
		}
		committed = max(committed, got)
		s.times[i] = append(s.times[i], committed-b.At)
	}
}

// network is the case as the simulator of packets takes it.
func (c spreadCase) network(roles []role, seed uint64) relaysim.Config {
	bits := func(i int, up bool) float64 {
		if up && roles[i].slow {
			return slowUp
		}
		return float64(c.mbps) * 1e6
	}
	visible := 0
	for _, r := range roles {
		if !r.hidden {
			visible++
		}
	}
	return relaysim.Config{
		Peers: c.peers, Rows: visible > coreyaml.DefaultFullMesh, Few: c.hidden && c.peers > coreyaml.DefaultFullMesh, Loss: c.loss, Seed: seed, Latency: c.latency,
		Up:     func(i int) float64 { return bits(i, true) },
		Down:   func(i int) float64 { return bits(i, false) },
		Org:    func(i int) string { return fmt.Sprint("Org", roles[i].org) },
		Hidden: func(i int) bool { return roles[i].hidden },
		Guests: c.hidden, // whole nodes connect to visible members that they hear of, in small networks to all
		Leader: func(i int) bool { return roles[i].leads },
		Send: func(from, _ int, f *relay.Frame) []*relay.Frame {
			if roles[from].mute {
				return nil
			}
			return []*relay.Frame{f}
		},
	}
}

// calibrate reports what the simulator of packets makes of the cases that whole nodes have run: what it is worth for those
// that only it can run.
func calibrate(b *testing.B, runs []*spreading) {
	var simulated []*spreading
	for _, s := range runs {
		simulated = append(simulated, spreadByEvents(s.spreadCase, s.seed))
	}
	real, sim := figuresOf(runs), figuresOf(simulated)
	b.ReportMetric(inMs(sim.toAll), "sim-toall-ms")
	if sim.first > 0 {
		b.ReportMetric(inMs(sim.first), "sim-first-ms")
	}
	b.ReportMetric(sim.copies, "sim-copies")
	b.ReportMetric(float64(sim.toAll)/float64(real.toAll), "sim/real")
	if sim.missing > 0 {
		b.Errorf("%d deliveries are missing in the simulator", sim.missing)
	}
}
