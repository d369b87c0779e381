// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/meter"
	"github.com/weft-p2p/weft/topics"
)

// metrics are the collectors of a node's own wiring. A nil *metrics counts nothing.
type metrics struct {
	verdicts *prometheus.CounterVec
	silent   *prometheus.CounterVec
	drops    *prometheus.CounterVec
	late     *prometheus.CounterVec
	computed *prometheus.CounterVec
	parity   *prometheus.GaugeVec
	expiry   *prometheus.GaugeVec
	spread   *prometheus.HistogramVec
	age      *prometheus.HistogramVec
	complete *prometheus.HistogramVec
	distance *prometheus.HistogramVec
	flows    *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	if r == nil {
		return nil, nil
	}
	s := meter.Set{Registerer: r}
	histogram := func(name, help, label string, buckets []float64) *prometheus.HistogramVec {
		return meter.Add(&s, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{label}))
	}
	seconds := prometheus.ExponentialBuckets(0.005, 2, 14)
	m := &metrics{
		verdicts: s.Counter("weft_announcements_total", "Announcements judged, by the row of the verdict table that decided.", "channel", "reason"),
		silent:   s.Counter("weft_announcements_skipped_total", "Blocks of our own source that were not announced because they came too fast.", "channel"),
		drops:    s.Counter("weft_relay_dropped_total", "Frames of the relay that were dropped, by why: slow, gone, full, memory or late.", "channel", "reason"),
		late:     s.Counter("weft_relay_wanted_total", "Leaves of blocks that were asked for, by why: overtaken, paused or silent.", "channel", "reason"),
		computed: s.Counter("weft_relay_rebuilt_total", "Blocks of which parity has made up for what had not come.", "channel"),
		parity:   s.Gauge("weft_relay_parity", "1 while the blocks of our own source get parity because members see packets lost.", "channel"),
		expiry:   s.Gauge("weft_identity_expiry_timestamp_seconds", "When our own certificate expires, in seconds since 1970."),
		spread:   histogram("weft_block_spread_seconds", "Time from the first announcement of a block, or from our own source, to its commit.", "channel", seconds),
		age:      histogram("weft_block_age_seconds", "Time from the timestamp in a block's first transaction to its commit; announced blocks only.", "channel", seconds),
		complete: histogram("weft_block_complete_seconds", "Time from the first announcement of a block to the last piece of it; relayed blocks only.", "channel", seconds),
		distance: histogram("weft_block_floor_ratio", "That time by the least that it could have taken.", "channel", []float64{1, 1.1, 1.2, 1.35, 1.5, 2, 3, 5, 10, 20, 50, 100}),
		flows:    histogram("weft_relay_neighbour_bytes_per_second", "Rate over five seconds of what the relay exchanged with a peer, if anything.", "direction", prometheus.ExponentialBuckets(1<<10, 4, 10)),
	}
	return m, s.Err()
}

func (m *metrics) judged(channel string, j topics.Judgement) {
	if m != nil {
		m.verdicts.WithLabelValues(channel, string(j.Reason)).Inc()
	}
}

func (m *metrics) unannounced(channel string) {
	if m != nil {
		m.silent.WithLabelValues(channel).Inc()
	}
}

func (m *metrics) dropped(channel string, why relay.Drop, frames int) {
	if m != nil {
		m.drops.WithLabelValues(channel, string(why)).Add(float64(frames))
	}
}

func (m *metrics) wanted(channel string, why relay.Late, leaves int) {
	if m != nil {
		m.late.WithLabelValues(channel, string(why)).Add(float64(leaves))
	}
}

// rebuilt hears of every block that parity has completed.
func (m *metrics) rebuilt(channel string) {
	if m != nil {
		m.computed.WithLabelValues(channel).Inc()
	}
}

// protecting hears when the blocks of our own source get parity, and when they do not any more.
func (m *metrics) protecting(channel string, on bool) {
	if m == nil {
		return
	}
	value := 0.0
	if on {
		value = 1
	}
	m.parity.WithLabelValues(channel).Set(value)
}

// flowed hears what went from and to one peer in some time, in bytes per second.
func (m *metrics) flowed(in, out float64) {
	if m == nil {
		return
	}
	if in > 0 {
		m.flows.WithLabelValues("in").Observe(in)
	}
	if out > 0 {
		m.flows.WithLabelValues("out").Observe(out)
	}
}

// delivered hears of every live block; age is 0 if the block does not tell.
func (m *metrics) delivered(channel string, spread, age time.Duration) {
	if m == nil {
		return
	}
	m.spread.WithLabelValues(channel).Observe(spread.Seconds())
	if age > 0 {
		m.age.WithLabelValues(channel).Observe(age.Seconds())
	}
}

// relayed hears of every block that the relay brings; floor is 0 if it is not known.
func (m *metrics) relayed(channel string, took, floor time.Duration) {
	if m == nil {
		return
	}
	m.complete.WithLabelValues(channel).Observe(took.Seconds())
	if floor > 0 {
		m.distance.WithLabelValues(channel).Observe(took.Seconds() / floor.Seconds())
	}
}

// identity hears of the certificate in use.
func (m *metrics) identity(expires time.Time) {
	if m != nil {
		m.expiry.WithLabelValues().Set(float64(expires.Unix()))
	}
}
