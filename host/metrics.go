// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-p2p/weft/internal/meter"
)

// Outcomes besides the results.
const (
	outcomeFailed  = "failed"  // the stream broke off
	outcomeInvalid = "invalid" // a record or answer that is none
	outcomeTurned  = "turned"  // the peer did not verify us
)

type authMetrics struct {
	exchanges *prometheus.CounterVec
}

func newAuthMetrics(reg prometheus.Registerer) *authMetrics {
	if reg == nil {
		return nil
	}
	s := meter.Set{Registerer: reg}
	return &authMetrics{exchanges: s.Counter("weft_host_authentications_total",
		"Authentication exchanges, by who opened them and how they ended.", "side", "outcome")}
}

func (m *authMetrics) opened(outcome string)   { m.count("opener", outcome) }
func (m *authMetrics) answered(outcome string) { m.count("answerer", outcome) }

func (m *authMetrics) count(side, outcome string) {
	if m != nil {
		m.exchanges.WithLabelValues(side, outcome).Inc()
	}
}

// outcome is the label of a result or of the error in its place.
func outcome(res Result, err error) string {
	switch {
	case errors.Is(err, ErrUnknownToPeer), errors.Is(err, ErrRefusedByPeer):
		return outcomeTurned
	case err != nil:
		return outcomeInvalid
	}
	return res.String()
}

type keeperMetrics struct {
	dials  *prometheus.CounterVec
	wanted prometheus.Gauge
	kept   prometheus.Gauge
}

func newKeeperMetrics(reg prometheus.Registerer) *keeperMetrics {
	if reg == nil {
		return nil
	}
	s := meter.Set{Registerer: reg}
	return &keeperMetrics{
		dials:  s.Counter("weft_host_attempts_total", "Attempts to connect to and authenticate with a wanted peer or address, by how they ended.", "outcome"),
		wanted: s.Gauge("weft_host_wanted_peers", "Peers that are to be connected.").WithLabelValues(),
		kept:   s.Gauge("weft_host_kept_peers", "Wanted peers that are connected and authenticated.").WithLabelValues(),
	}
}

func (m *keeperMetrics) attempted(err error) {
	if m == nil {
		return
	}
	if err != nil {
		m.dials.WithLabelValues("failed").Inc()
		return
	}
	m.dials.WithLabelValues("ok").Inc()
}

func (m *keeperMetrics) peers(wanted, kept int) {
	if m != nil {
		m.wanted.Set(float64(wanted))
		m.kept.Set(float64(kept))
	}
}
