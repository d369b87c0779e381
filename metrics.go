// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
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
	m := &metrics{
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weft_announcements_total", Help: "Announcements judged, by the row of the verdict table that decided.",
		}, []string{"channel", "reason"}),
		silent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weft_announcements_skipped_total", Help: "Blocks of our own source that were not announced because they came too fast.",
		}, []string{"channel"}),
	}
	return m, errors.Join(r.Register(m.verdicts), r.Register(m.silent))
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
