// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are shared by all trackers of a node. A nil *Metrics counts nothing.
type Metrics struct{ total *prometheus.GaugeVec }

// NewMetrics registers the collectors, or finds those that another node of this
// process has registered there. A nil registerer gives nil metrics.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	if reg == nil {
		return nil, nil
	}
	total := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "gossip_membership_total_peers_known",
		Help: "Number of living members of the channel that are known, without this node.",
	}, []string{"channel"})
	if err := reg.Register(total); err != nil {
		var twice prometheus.AlreadyRegisteredError
		if !errors.As(err, &twice) {
			return nil, fmt.Errorf("register membership metrics: %w", err)
		}
		existing, ok := twice.ExistingCollector.(*prometheus.GaugeVec)
		if !ok {
			return nil, fmt.Errorf("register membership metrics: %w", err)
		}
		total = existing
	}
	return &Metrics{total: total}, nil
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
