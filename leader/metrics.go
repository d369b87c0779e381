// SPDX-License-Identifier: Apache-2.0

package leader

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the collectors of all channels of one node. A nil *Metrics counts nothing.
type Metrics struct {
	leading  *prometheus.GaugeVec
	blocks   *prometheus.CounterVec
	failures *prometheus.CounterVec
}

// NewMetrics registers the collectors; it returns nil when registerer is nil. Names that exist in Fabric keep Fabric's name.
func NewMetrics(registerer prometheus.Registerer) (*Metrics, error) {
	if registerer == nil {
		return nil, nil
	}
	m := &Metrics{
		leading: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "gossip_leader_election_leader",
			Help: "1 while this node pulls the channel's blocks from the ordering service, else 0.",
		}, []string{"channel"}),
		blocks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weft_leader_blocks_pulled_total",
			Help: "Blocks that came from the ordering service and were taken.",
		}, []string{"channel"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weft_leader_stream_failures_total",
			Help: "Streams from the ordering service that broke or could not be opened.",
		}, []string{"channel"}),
	}
	for _, c := range []prometheus.Collector{m.leading, m.blocks, m.failures} {
		if err := registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Metrics) led(channel string, leading bool) {
	if m == nil {
		return
	}
	value := 0.0
	if leading {
		value = 1
	}
	m.leading.WithLabelValues(channel).Set(value)
}

func (m *Metrics) pulled(channel string) {
	if m != nil {
		m.blocks.WithLabelValues(channel).Inc()
	}
}

func (m *Metrics) failed(channel string) {
	if m != nil {
		m.failures.WithLabelValues(channel).Inc()
	}
}
