// SPDX-License-Identifier: Apache-2.0

package meter_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/meter"
)

func TestNodesShareARegistry(t *testing.T) {
	registry := prometheus.NewRegistry()
	first, second := meter.Set{Registerer: registry}, meter.Set{Registerer: registry}
	a := first.Counter("blocks_total", "Blocks.", "channel")
	b := second.Counter("blocks_total", "Blocks.", "channel")
	a.WithLabelValues("c").Inc()
	b.WithLabelValues("c").Inc()
	require.NoError(t, first.Err())
	require.NoError(t, second.Err())
	require.InDelta(t, 2, testutil.ToFloat64(a.WithLabelValues("c")), 0)
}

func TestAnotherMetricOfThatName(t *testing.T) {
	s := meter.Set{Registerer: prometheus.NewRegistry()}
	s.Counter("height", "A counter.", "channel")
	s.Gauge("height", "A gauge.", "channel", "peer").WithLabelValues("c", "p").Set(1)
	require.ErrorContains(t, s.Err(), "height")
}
