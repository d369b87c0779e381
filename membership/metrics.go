// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-p2p/weft/internal/meter"
)

// Metrics are shared by all trackers of a node. A nil *Metrics counts nothing.
type Metrics struct{ total *prometheus.GaugeVec }

// NewMetrics registers the collectors, or finds those that another node of this
// process has registered there. A nil registerer gives nil metrics.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	if reg == nil {
		return nil, nil
	}
	s := meter.Set{Registerer: reg}
	total := s.Gauge("gossip_membership_total_peers_known", "Number of living members of the channel that are known, without this node.", "channel")
	return &Metrics{total: total}, s.Err()
}

func (m *Metrics) known(channel string, n int) {
	if m != nil {
		m.total.WithLabelValues(channel).Set(float64(n))
	}
}

func (m *Metrics) forget(channel string) {
	if m != nil {
		m.total.DeleteLabelValues(channel)
	}
}
