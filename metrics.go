// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/weft-p2p/weft/internal/meter"
	"github.com/weft-p2p/weft/topics"
)

// metrics are the collectors of a node's own wiring. A nil *metrics counts nothing.
type metrics struct {
	verdicts *prometheus.CounterVec
	silent   *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	if r == nil {
		return nil, nil
	}
	s := meter.Set{Registerer: r}
	m := &metrics{
		verdicts: s.Counter("weft_announcements_total", "Announcements judged, by the row of the verdict table that decided.", "channel", "reason"),
		silent:   s.Counter("weft_announcements_skipped_total", "Blocks of our own source that were not announced because they came too fast.", "channel"),
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
