// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"encoding/json"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// spreading is what was seen of some blocks: how long each took to each honest peer that does not have it from the ordering
// service, and what all peers received meanwhile.
type spreading struct {
	spreadCase
	scheme string
	seed   uint64 // of its network
	honest int    // peers that a block has to reach, the mute and the leaders left out
	bytes  int64  // of the blocks

	before, after reading

	mu    sync.Mutex // guards all below
	sent  []time.Time
	times [][]time.Duration
}

// reading is what all peers have received by then.
type reading struct {
	at      time.Time
	payload int64 // bytes on streams that carry blocks or say something of them
	wire    int64 // bytes that the simulated links have carried
	// dropped are frames of weft's relay, and blocks too many to be announced; repaired are blocks that had to be asked for.
	dropped, repaired float64
}

func newSpreading(scheme string, c spreadCase, roles []role) *spreading {
	s := &spreading{spreadCase: c, scheme: scheme, sent: make([]time.Time, c.blocks), times: make([][]time.Duration, c.blocks)}
	for _, r := range roles {
		if !r.leads && !r.mute {
			s.honest++
		}
	}
	return s
}

// leaves notes that the leaders have a block now, or have all but got it.
func (s *spreading) leaves(block int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent[block] = time.Now()
}

// arrived notes that another peer has a block now.
func (s *spreading) arrived(block int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times[block] = append(s.times[block], time.Since(s.sent[block]))
}

// complete says whether everybody has every block.
func (s *spreading) complete() bool { return s.missing() == 0 }

// missing is how many deliveries there were not.
func (s *spreading) missing() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	missing := s.honest * len(s.times)
	for _, times := range s.times {
		missing -= len(times)
	}
	return missing
}

// all are the times of all deliveries, in order.
func (s *spreading) all() []time.Duration {
	return slices.Sorted(slices.Values(slices.Concat(s.times...)))
}

// toAll is when the last peer had each of the blocks.
func (s *spreading) toAll() []time.Duration {
	last := make([]time.Duration, len(s.times))
	for i, times := range s.times {
		if len(times) > 0 {
			last[i] = slices.Max(times)
		}
	}
	return last
}

// due is what has to be received, in bytes.
func (s *spreading) due() float64 { return float64(s.bytes) * float64(s.peers-s.leaders) }

// copies is what was received of blocks, by what had to be: bodies, proofs, announcements, requests, and what pubsub says to
// spread them; heartbeats are left out.
func (s *spreading) copies() float64 { return float64(s.after.payload-s.before.payload) / s.due() }

// wireCopies is what the links carried, by what had to be received; heartbeats, acknowledgements and lost packets are in it.
func (s *spreading) wireCopies() float64 { return float64(s.after.wire-s.before.wire) / s.due() }

// figures are what some runs of a case have in common. Where peers are mute or slow, the first block is apart, for nobody
// knows them then.
type figures struct {
	missing           int
	p50, p99          time.Duration // over all blocks and peers
	toAll             time.Duration // median over blocks
	first             time.Duration // to all, of the first block: the worst of all runs; 0 if it is not apart
	copies, onWires   float64
	dropped, repaired float64 // of all runs: frames, and blocks that had to be asked for; whole nodes only
}

// figuresOf sums up runs of a case.
func figuresOf(runs []*spreading) figures {
	var f figures
	var all, last []time.Duration
	for _, s := range runs {
		toAll := s.toAll()
		if s.mute+s.slow > 0 && len(toAll) > 1 {
			f.first, toAll = max(f.first, toAll[0]), toAll[1:]
		}
		all, last = append(all, s.all()...), append(last, toAll...)
		f.missing += s.missing()
		f.copies += s.copies() / float64(len(runs))
		f.onWires += s.wireCopies() / float64(len(runs))
		f.dropped += s.after.dropped - s.before.dropped
		f.repaired += s.after.repaired - s.before.repaired
	}
	slices.Sort(all)
	slices.Sort(last)
	if len(all) > 0 {
		f.p50, f.p99, f.toAll = all[len(all)/2], all[len(all)*99/100], last[len(last)/2]
	}
	return f
}

// report reports the figures of some runs of a case.
func report(b *testing.B, runs []*spreading) {
	for _, s := range runs {
		s.write(b)
	}
	f := figuresOf(runs)
	if f.missing > 0 {
		b.ReportMetric(float64(f.missing), "missing")
		if runs[0].scheme == "weft" {
			b.Errorf("%d deliveries are missing", f.missing)
		}
	}
	b.ReportMetric(inMs(f.p50), "p50-ms")
	b.ReportMetric(inMs(f.p99), "p99-ms")
	b.ReportMetric(inMs(f.toAll), "toall-ms")
	if f.first > 0 {
		b.ReportMetric(inMs(f.first), "first-ms")
	}
	b.ReportMetric(f.copies, "copies")
	if f.onWires > 0 {
		b.ReportMetric(f.onWires, "wire-copies")
		b.ReportMetric(inMs(runs[0].floor()), "floor-ms")
	}
	if f.dropped+f.repaired > 0 {
		b.ReportMetric(f.dropped, "dropped")
		b.ReportMetric(f.repaired, "repaired")
	}
	b.ReportMetric(0, "ns/op") // wall time says nothing here
}

func inMs(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// write adds the delivery times to the file of -deliveries, as one line of JSON.
func (s *spreading) write(b *testing.B) {
	if *deliveries == "" {
		return
	}
	line := struct {
		Case    string    `json:"case"`
		Scheme  string    `json:"scheme"`
		FloorMs float64   `json:"floor_ms"`
		Due     int       `json:"due"` // deliveries
		TimesMs []float64 `json:"times_ms"`
	}{s.describe(), s.scheme, inMs(s.floor()), s.honest * len(s.times), nil}
	for _, d := range s.all() {
		line.TimesMs = append(line.TimesMs, inMs(d))
	}
	raw, err := json.Marshal(line)
	require.NoError(b, err)
	f, err := os.OpenFile(*deliveries, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(b, err)
	_, err = f.Write(append(raw, '\n'))
	require.NoError(b, err)
	require.NoError(b, f.Close())
}
