// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
)

// BenchmarkMemory answers: what does a peer keep in memory while nothing happens, and what of it is libp2p's? All peers are in one
// process and everybody is connected to everybody over real sockets: bare hosts, gossipsub on one topic, or whole nodes of weft.
// docs/performance.md has the method.
func BenchmarkMemory(b *testing.B) {
	for _, peers := range []int{20, 50} {
		for _, transport := range []string{"tcp", "quic"} {
			for _, scheme := range []string{"host", "gossipsub", "weft"} {
				b.Run(fmt.Sprintf("scheme=%s/transport=%s/peers=%d", scheme, transport, peers), func(b *testing.B) {
					var at keeping
					for range b.N {
						asTest(b, func(t *testing.T) { at = resting(t, scheme, transport, peers, settling) })
					}
					at.report(b)
				})
			}
		}
	}
}

// TestMemory keeps the benchmark from rotting.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs in real time")
	}
	for _, scheme := range []string{"host", "gossipsub", "weft"} {
		t.Run(scheme, func(t *testing.T) {
			at := resting(t, scheme, "tcp", 3, 100*ms)
			require.Positive(t, at.live)
			require.GreaterOrEqual(t, at.conns, 6)
		})
	}
}

// keeping is what the process has while nothing happens, in bytes.
type keeping struct {
	peers            int
	live             uint64 // heap after a collection
	stacks           uint64
	rss              uint64 // resident before it
	goroutines       int
	conns, duplicate int // ends of connections, and those of second connections
}

// resting connects some peers with each other and looks after a while.
func resting(t *testing.T, scheme, transport string, peers int, settling time.Duration) keeping {
	var hosts []host
	if scheme == "weft" {
		n := newSocketNet(t, transport, peers)
		n.startFormed()
		for _, p := range n.peers {
			hosts = append(hosts, p.host)
		}
	} else {
		hosts = connected(t, scheme, newSockets(t, transport, peers))
	}
	time.Sleep(settling)
	k := keeping{peers: peers, rss: resident(), goroutines: runtime.NumGoroutine()}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	k.live, k.stacks = m.HeapAlloc, m.StackInuse
	for _, h := range hosts {
		k.conns += len(h.Network().Conns())
		k.duplicate += len(h.Network().Conns()) - len(h.Network().Peers())
	}
	return k
}

// connected are hosts with libp2p's defaults and, if the scheme says so, gossipsub's on one topic. Everybody is connected to everybody.
func connected(t *testing.T, scheme string, s *sockets) []host {
	o := &others{}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	var hosts []host
	for i := range s.addresses {
		o.host(t, s.listening(i))
		hosts = append(hosts, host{Host: o.hosts[i]})
		if scheme == "gossipsub" {
			ps, err := pubsub.NewGossipSub(ctx, o.hosts[i])
			require.NoError(t, err)
			topic, err := ps.Join("memory")
			require.NoError(t, err)
			_, err = topic.Subscribe()
			require.NoError(t, err)
		}
		for _, to := range o.hosts[:i] {
			require.NoError(t, o.hosts[i].Connect(ctx, peer.AddrInfo{ID: to.ID(), Addrs: to.Addrs()}))
		}
	}
	return hosts
}

// report reports what there is of each peer.
func (k keeping) report(b *testing.B) {
	each := float64(k.peers)
	b.ReportMetric(float64(k.live)/each/mB, "live-MB/peer")
	b.ReportMetric(float64(k.stacks)/each/mB, "stacks-MB/peer")
	b.ReportMetric(float64(k.rss)/each/mB, "rss-MB/peer")
	b.ReportMetric(float64(k.goroutines)/each, "goroutines/peer")
	b.ReportMetric(float64(k.conns)/each, "conns/peer")
	b.ReportMetric(float64(k.duplicate)/each, "duplicates/peer")
}
