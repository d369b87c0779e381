// SPDX-License-Identifier: Apache-2.0

// Package meter registers metrics so that many nodes of one process can share a registry: who comes second gets the
// collectors that the first has registered.
package meter

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Set registers collectors one after the other and remembers what went wrong.
type Set struct {
	Registerer prometheus.Registerer
	errs       []error
}

// Err is what went wrong so far: a name that stands for another kind of metric, or for other labels.
func (s *Set) Err() error { return errors.Join(s.errs...) }

// Add registers c, or returns the equal collector that is registered already.
func Add[C prometheus.Collector](s *Set, c C) C {
	err := s.Registerer.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if same, ok := already.ExistingCollector.(C); ok {
			return same
		}
	}
	if err != nil {
		s.errs = append(s.errs, fmt.Errorf("register metrics: %w", err))
	}
	return c
}

// Counter adds a counter with labels.
func (s *Set) Counter(name, help string, labels ...string) *prometheus.CounterVec {
	return Add(s, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
}

// Gauge adds a gauge with labels.
func (s *Set) Gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return Add(s, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels))
}
