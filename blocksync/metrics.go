// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-p2p/weft/blocksync/pb"
	"github.com/weft-p2p/weft/internal/meter"
)

// metrics are the collectors of one channel. A nil *metrics counts nothing.
type metrics struct {
	heightGauge, bufferGauge prometheus.Gauge
	commitSeconds            prometheus.Observer
	fromOrderer, fromPeers   prometheus.Counter
	rejects                  prometheus.Counter
	fetches, requests        *prometheus.CounterVec
	bytesIn, repairs         *prometheus.CounterVec
	bytesCommitted           prometheus.Counter
}

// newMetrics registers the collectors of a channel, or joins those that another channel has registered.
func newMetrics(r prometheus.Registerer, channel string) (*metrics, error) {
	if r == nil {
		return nil, nil
	}
	s := meter.Set{Registerer: r}
	gauge := func(name, help string) prometheus.Gauge {
		return s.Gauge(name, help, "channel").WithLabelValues(channel)
	}
	counter := func(name, help, label string) *prometheus.CounterVec {
		return s.Counter(name, help, "channel", label).MustCurryWith(prometheus.Labels{"channel": channel})
	}
	blocks := counter("weft_blocks_committed_total", "Blocks committed, by who brought them: orderer or peer.", "source")
	seconds := meter.Add(&s, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gossip_state_commit_duration", Help: "Time it takes to commit a batch of blocks in seconds.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
	}, []string{"channel"}))
	rejects := s.Counter("weft_blocks_rejected_total", "Blocks that did not verify.", "channel")
	m := &metrics{
		heightGauge:   gauge("gossip_state_height", "Current ledger height."),
		bufferGauge:   gauge("gossip_payload_buffer_size", "Block numbers that wait to be committed in order."),
		commitSeconds: seconds.WithLabelValues(channel),
		fromOrderer:   blocks.WithLabelValues("orderer"), fromPeers: blocks.WithLabelValues("peer"),
		rejects:        rejects.WithLabelValues(channel),
		fetches:        counter("weft_sync_fetches_total", "Range requests made, by how they ended: whole, nothing or failed.", "result"),
		bytesIn:        counter("weft_block_bytes_received_total", "Bytes of blocks received, by the way they came: orderer, announcement, relay or range.", "way"),
		repairs:        counter("weft_repairs_total", "Blocks that had to be asked for, by why: unannounced, stalled or crowded.", "reason"),
		bytesCommitted: s.Counter("weft_block_bytes_committed_total", "Bytes of blocks committed.", "channel").WithLabelValues(channel),
		requests:       counter("weft_sync_requests_total", "Range requests answered, by status.", "status"),
	}
	return m, s.Err()
}

func (m *metrics) height(h uint64) {
	if m != nil {
		m.heightGauge.Set(float64(h))
	}
}

func (m *metrics) buffered(n int) {
	if m != nil {
		m.bufferGauge.Set(float64(n))
	}
}

func (m *metrics) committed(height uint64, blocks, fromUs int, took time.Duration) {
	if m == nil {
		return
	}
	m.heightGauge.Set(float64(height))
	m.commitSeconds.Observe(took.Seconds())
	m.fromOrderer.Add(float64(fromUs))
	m.fromPeers.Add(float64(blocks - fromUs))
}

func (m *metrics) rejected() {
	if m != nil {
		m.rejects.Inc()
	}
}

func (m *metrics) fetched(r Result) {
	if m == nil {
		return
	}
	result := "whole"
	switch {
	case r.Failed:
		result = "failed"
	case r.Got == 0:
		result = "nothing"
	}
	m.fetches.WithLabelValues(result).Inc()
}

func (m *metrics) served(status pb.Status) {
	if m != nil {
		m.requests.WithLabelValues(strings.ToLower(strings.TrimPrefix(status.String(), "STATUS_"))).Inc()
	}
}

func (m *metrics) received(w Way, bytes int) {
	if m != nil {
		m.bytesIn.WithLabelValues(string(w)).Add(float64(bytes))
	}
}

func (m *metrics) repaired(why Repair, blocks int) {
	if m != nil {
		m.repairs.WithLabelValues(string(why)).Add(float64(blocks))
	}
}

func (m *metrics) committedBytes(bytes int) {
	if m != nil {
		m.bytesCommitted.Add(float64(bytes))
	}
}
