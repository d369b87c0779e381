// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkIdle answers: what does a network of one organization cost each peer while no block is ordered? It reports the
// bytes received a second, on pubsub and on weft's streams. Time is virtual.
func BenchmarkIdle(b *testing.B) {
	for _, peers := range []int{10, 50} {
		b.Run(fmt.Sprintf("peers=%d", peers), func(b *testing.B) {
			for range b.N {
				inBubble(b, func(t *testing.T) { measureIdle(t, peers).report(b) })
			}
		})
	}
}

// idling is what the peers of a network received in some time.
type idling struct {
	peers        int
	over         time.Duration
	weft, pubsub int64 // bytes
}

// measureIdle measures two minutes, which begin when the peers have met: each shows its record once more on each topic.
func measureIdle(t *testing.T, peers int) *idling {
	n, i := newNet(t, lan, 1, peers), &idling{peers: peers, over: 2 * time.Minute}
	n.startAll()
	time.Sleep(time.Minute)
	weft, pubsub := n.receivedBy()
	time.Sleep(i.over)
	i.weft, i.pubsub = n.receivedBy()
	i.weft, i.pubsub = i.weft-weft, i.pubsub-pubsub
	n.requireView(n.peers...)
	return i
}

func (i *idling) report(b *testing.B) {
	rate := func(bytes int64) float64 { return float64(bytes) / i.over.Seconds() / float64(i.peers) }
	b.ReportMetric(rate(i.weft+i.pubsub), "B/s-per-peer")
	b.ReportMetric(rate(i.pubsub), "pubsub-B/s-per-peer")
	b.ReportMetric(rate(i.weft), "streams-B/s-per-peer")
	b.ReportMetric(0, "ns/op") // wall time says nothing here
}

// receivedBy is what all peers have received so far on weft's streams and on pubsub.
func (n *testNet) receivedBy() (weft, pubsub int64) {
	for _, p := range n.peers {
		w, s := p.traffic.received()
		weft, pubsub = weft+w, pubsub+s
	}
	return weft, pubsub
}
