// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
)

// TestParityWherePacketsAreLost: the leader's blocks get parity, others compute some of them, and both is counted. With WithParity(false)
// they get none.
func TestParityWherePacketsAreLost(t *testing.T) {
	if testing.Short() {
		t.Skip("bytes cost")
	}
	for on, blocks := range map[bool]int{true: 12, false: 6} { // what is lost is chance; mostly four switch it on
		t.Run(fmt.Sprintf("WithParity(%t)", on), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				link := wan
				link.Loss = 0.01
				n := newNet(t, link, 1, 20)
				leader, others := prometheus.NewRegistry(), prometheus.NewRegistry()
				for _, p := range n.peers {
					p.options = []weft.Option{weft.WithRegisterer(others)}
				}
				n.peers[0].options = []weft.Option{weft.WithRegisterer(leader), weft.WithParity(on)}
				n.startAll()
				for range blocks {
					if n.order(1, 400*kB, time.Second); gathered(t, leader, "weft_relay_parity") == 1 {
						break
					}
				}
				require.Zero(t, gathered(t, others, "weft_relay_rebuilt_total"))
				n.order(3, 400*kB, time.Second)
				n.requireAll(10*time.Second, n.peers...)
				require.Equal(t, on, gathered(t, leader, "weft_relay_parity") == 1)
				require.Equal(t, on, gathered(t, others, "weft_relay_rebuilt_total") > 0)
				require.Zero(t, gathered(t, others, "weft_relay_parity"), "who announces nothing decides nothing")
			})
		})
	}
}

// gathered is the sum of a counter or gauge.
func gathered(t *testing.T, r *prometheus.Registry, name string) (sum float64) {
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
