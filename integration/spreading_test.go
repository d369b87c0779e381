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
	honest int   // peers that a block has to reach, the mute and the leaders left out
	bytes  int64 // of the blocks

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

// report reports the figures of some runs of a case: p50 and p99 over all blocks and peers, and the median over blocks of
// the time to the last peer. Where peers are mute or slow, the first block is apart, for nobody knows them then: first-ms is
// the worst of all runs.
func report(b *testing.B, runs []*spreading) {
	var all, last []time.Duration
	var first time.Duration
	var copies, wire float64
	c := runs[0].spreadCase
	for _, s := range runs {
		if n := s.missing(); n > 0 {
			b.ReportMetric(float64(n), "missing")
			if s.scheme == "weft" {
				b.Errorf("%d deliveries are missing", n)
			}
		}
		toAll := s.toAll()
		if c.mute+c.slow > 0 && len(toAll) > 1 {
			first, toAll = max(first, toAll[0]), toAll[1:]
		}
		all, last = append(all, s.all()...), append(last, toAll...)
		copies, wire = copies+s.copies(), wire+s.wireCopies()
		s.write(b)
	}
	if len(all) == 0 {
		b.Error("no block arrived anywhere")
		return
	}
	slices.Sort(all)
	slices.Sort(last)
	b.ReportMetric(inMs(all[len(all)/2]), "p50-ms")
	b.ReportMetric(inMs(all[len(all)*99/100]), "p99-ms")
	b.ReportMetric(inMs(last[len(last)/2]), "toall-ms")
	if first > 0 {
		b.ReportMetric(inMs(first), "first-ms")
	}
	b.ReportMetric(copies/float64(len(runs)), "copies")
	if wire > 0 {
		b.ReportMetric(wire/float64(len(runs)), "wire-copies")
		b.ReportMetric(inMs(c.floor()), "floor-ms")
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
