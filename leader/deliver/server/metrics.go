// SPDX-License-Identifier: Apache-2.0

package server

import (
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-p2p/weft/internal/meter"
)

// Metrics are the collectors of servers; all servers of a node share them. A nil *Metrics counts nothing.
type Metrics struct {
	streams    *prometheus.GaugeVec
	requests   *prometheus.CounterVec
	blocks     *prometheus.CounterVec
	broadcasts *prometheus.CounterVec
	limits     *prometheus.CounterVec
}

// NewMetrics registers the collectors; nil for a nil registerer.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	if r == nil {
		return nil, nil
	}
	s := meter.Set{Registerer: r}
	m := &Metrics{
		streams:    s.Gauge("weft_deliver_streams", "Streams of Deliver and Broadcast clients that are open."),
		requests:   s.Counter("weft_deliver_requests_total", "Deliver requests that have ended, by the status that the client was told.", "channel", "status"),
		blocks:     s.Counter("weft_deliver_blocks_sent_total", "Blocks sent to Deliver clients.", "channel"),
		broadcasts: s.Counter("weft_deliver_broadcasts_total", "Envelopes that clients wanted to be ordered, by the status that they were told.", "status"),
		limits:     s.Counter("weft_deliver_limited_total", "Clients of Deliver and Broadcast that met a limit.", "limit"),
	}
	return m, s.Err()
}

func (m *Metrics) open(n float64) {
	if m != nil {
		m.streams.WithLabelValues().Add(n)
	}
}

func (m *Metrics) request(channel, status string) {
	if m != nil {
		m.requests.WithLabelValues(channel, status).Inc()
	}
}

func (m *Metrics) sent(channel string, blocks int) {
	if m != nil {
		m.blocks.WithLabelValues(channel).Add(float64(blocks))
	}
}

func (m *Metrics) broadcast(status string) {
	if m != nil {
		m.broadcasts.WithLabelValues(status).Inc()
	}
}

func (m *Metrics) refused(limit string) {
	if m != nil {
		m.limits.WithLabelValues(limit).Inc()
	}
}

// label is the status as a label; an orderer may answer numbers that have no name.
func label(s common.Status) string {
	if name, ok := common.Status_name[int32(s)]; ok {
		return strings.ToLower(name)
	}
	return "other"
}
