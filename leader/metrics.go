// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-p2p/weft/internal/meter"
)

// Metrics are the collectors of all channels of one node. A nil *Metrics counts nothing.
type Metrics struct {
	leading  *prometheus.GaugeVec
	blocks   *prometheus.CounterVec
	failures *prometheus.CounterVec
	looks    *prometheus.CounterVec
}

// NewMetrics registers the collectors; it returns nil when registerer is nil. Names that exist in Fabric keep Fabric's name.
func NewMetrics(registerer prometheus.Registerer) (*Metrics, error) {
	if registerer == nil {
		return nil, nil
	}
	s := meter.Set{Registerer: registerer}
	m := &Metrics{
		leading:  s.Gauge("gossip_leader_election_leader", "1 while this node pulls the channel's blocks from the ordering service, else 0.", "channel"),
		blocks:   s.Counter("weft_leader_blocks_pulled_total", "Blocks that came from the ordering service and were taken.", "channel"),
		failures: s.Counter("weft_leader_stream_failures_total", "Streams from the ordering service that broke or could not be opened.", "channel"),
		looks:    s.Counter("weft_leader_looks_total", "Looks at the ordering service of a member that does not lead, by what they have shown.", "channel", "finding"),
	}
	return m, s.Err()
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

func (m *Metrics) looked(channel string, f Finding) {
	if m != nil {
		m.looks.WithLabelValues(channel, f.String()).Inc()
	}
}
