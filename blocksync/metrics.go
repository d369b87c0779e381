// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/weft-p2p/weft/blocksync/pb"
)

// metrics are the collectors of one channel. A nil *metrics counts nothing.
type metrics struct {
	heightGauge, bufferGauge prometheus.Gauge
	commitSeconds            prometheus.Observer
	fromOrderer, fromPeers   prometheus.Counter
	rejects                  prometheus.Counter
	fetches, requests        *prometheus.CounterVec
}

// newMetrics registers the collectors of a channel, or joins those that another channel has registered.
func newMetrics(r prometheus.Registerer, channel string) (*metrics, error) {
	if r == nil {
		return nil, nil
	}
	var errs []error
	gauge := func(name, help string) prometheus.Gauge {
		v := join(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"channel"}), &errs)
		return v.WithLabelValues(channel)
	}
	counter := func(name, help, label string) *prometheus.CounterVec {
		v := join(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"channel", label}), &errs)
		return v.MustCurryWith(prometheus.Labels{"channel": channel})
	}
	blocks := counter("weft_blocks_committed_total", "Blocks committed, by who brought them: orderer or peer.", "source")
	seconds := join(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gossip_state_commit_duration", Help: "Time it takes to commit a batch of blocks in seconds.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
	}, []string{"channel"}), &errs)
	rejects := join(r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "weft_blocks_rejected_total", Help: "Blocks that did not verify.",
	}, []string{"channel"}), &errs)
	m := &metrics{
		heightGauge:   gauge("gossip_state_height", "Current ledger height."),
		bufferGauge:   gauge("gossip_payload_buffer_size", "Block numbers that wait to be committed in order."),
		commitSeconds: seconds.WithLabelValues(channel),
		fromOrderer:   blocks.WithLabelValues("orderer"), fromPeers: blocks.WithLabelValues("peer"),
		rejects:  rejects.WithLabelValues(channel),
		fetches:  counter("weft_sync_fetches_total", "Range requests made, by how they ended: whole, nothing or failed.", "result"),
		requests: counter("weft_sync_requests_total", "Range requests answered, by status.", "status"),
	}
	return m, errors.Join(errs...)
}

// join registers c, or returns the equal collector that is registered already.
func join[C prometheus.Collector](r prometheus.Registerer, c C, errs *[]error) C {
	err := r.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if known, ok := already.ExistingCollector.(C); ok {
			return known
		}
	}
	if err != nil {
		*errs = append(*errs, err)
	}
	return c
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
		m.requests.WithLabelValues(status.String()).Inc()
	}
}
