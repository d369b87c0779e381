// SPDX-License-Identifier: Apache-2.0

package repo_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
)

// metric is what docs/metrics.md says of a metric, besides its meaning.
type metric struct {
	kind   string
	labels string // separated by commas
}

// recorder is a registry that remembers what was registered.
type recorder struct {
	*prometheus.Registry
	metrics map[string]metric
}

var description = regexp.MustCompile(`fqName: "([^"]*)".*variableLabels: \{([^}]*)\}`)

func (r *recorder) Register(c prometheus.Collector) error {
	descs := make(chan *prometheus.Desc, 16)
	c.Describe(descs)
	close(descs)
	for d := range descs {
		m := description.FindStringSubmatch(d.String())
		r.metrics[m[1]] = metric{kind(c), m[2]}
	}
	return r.Registry.Register(c)
}

func (r *recorder) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if err := r.Register(c); err != nil {
			panic(err)
		}
	}
}

func kind(c prometheus.Collector) string {
	switch c.(type) {
	case *prometheus.GaugeVec, prometheus.Gauge: // before Counter: a Gauge has all its methods
		return "gauge"
	case *prometheus.CounterVec, prometheus.Counter:
		return "counter"
	case *prometheus.HistogramVec, prometheus.Histogram:
		return "histogram"
	}
	return fmt.Sprintf("%T", c)
}

func TestMetricsAreDocumented(t *testing.T) {
	documented := documentedMetrics(t)
	registered := registeredMetrics(t)
	require.Equal(t, documented, registered, "docs/metrics.md (expected) and what a node registers (actual)")
	for name := range registered {
		require.Regexp(t, "^(weft|gossip)_[a-z_]+$", name, "ours begin with weft_, those that exist in Fabric with gossip_")
	}
}

// registeredMetrics are the metrics of a node that leads a channel.
func registeredMetrics(t *testing.T) map[string]metric {
	network := orderertest.New(t)
	identity, err := network.Peer.Local()
	require.NoError(t, err)
	host, err := libp2p.New(libp2p.NoListenAddrs)
	require.NoError(t, err)
	defer func() { require.NoError(t, host.Close()) }()
	r := &recorder{prometheus.NewRegistry(), map[string]metric{}}
	node, err := weft.New(host, nil, identity, weft.WithDataDir(t.TempDir()), weft.WithRegisterer(r))
	require.NoError(t, err)
	defer func() { require.NoError(t, node.Close()) }()
	_, err = node.Join(t.Context(), network.Genesis, weft.AsLeader())
	require.NoError(t, err)
	return r.metrics
}

// documentedMetrics reads the tables of docs/metrics.md: name, type, labels, meaning.
func documentedMetrics(t *testing.T) map[string]metric {
	metrics := map[string]metric{}
	for line := range strings.Lines(read(t, "docs/metrics.md")) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		name := strings.Trim(cells[1], " `")
		require.NotContains(t, metrics, name, "documented twice")
		require.NotEmpty(t, strings.TrimSpace(cells[4]), "meaning of %s", name)
		metrics[name] = metric{strings.TrimSpace(cells[2]), strings.NewReplacer("`", "", " ", "").Replace(cells[3])}
	}
	return metrics
}
