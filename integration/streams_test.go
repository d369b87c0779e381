// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestFullStreams: when all peers of a raft channel start at once, the ordering service gets one full stream for each organization, and
// never has more.
func TestFullStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const orgs = 5
		open, most := fullStreams(t, orgs, 4)
		require.Equal(t, orgs, open)
		require.Equal(t, orgs, most)
	})
}

// BenchmarkFullStreams answers: how many full streams has the ordering service with 25 organizations of 4 peers? It takes minutes: a hundred
// hosts that all connect to each other are 4,950 handshakes, and as many authentications either way.
func BenchmarkFullStreams(b *testing.B) {
	inBubble(b, func(t *testing.T) {
		open, most := fullStreams(t, 25, 4)
		b.ReportMetric(float64(open), "streams")
		b.ReportMetric(float64(most), "most-streams")
		b.ReportMetric(0, "ns/op")
	})
}

// fullStreams starts all peers of a network at once, and returns how many full streams the ordering service has when every peer has some
// blocks, and how many it had at most.
func fullStreams(t *testing.T, orgs, peers int) (open, most int) {
	n := newNet(t, lan, orgs, peers)
	for _, p := range n.peers {
		p.start(elected())
	}
	time.Sleep(10 * time.Second)
	n.order(5, 2<<10, 100*time.Millisecond)
	n.requireAll(time.Second, n.peers...)
	n.requirePullers(1)
	return n.orderer.Streams()
}
