// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
)

// loopbackCases are the lines of BenchmarkLoopback: every one with both transports; weft, default gossipsub, and the least that
// it takes (bare).
var loopbackCases = []spreadCase{
	{peers: 50, size: 16 * kB, blocks: 20},
	{peers: 50, size: 160 * kB, blocks: 20},
	{peers: 50, size: mB, blocks: 20},
	{peers: 100, size: 16 * kB, blocks: 10},
	{peers: 100, size: 160 * kB, blocks: 10},
}

// BenchmarkLoopback answers: what processor time and memory does a block cost each peer over real sockets, and how long does
// it take when all peers share one machine? Whole nodes in one process over loopback, one block a second; beside them default
// gossipsub and the bare transfer, in the same run. formed-ms is how long the peers took to know each other. docs/performance.md has the method.
func BenchmarkLoopback(b *testing.B) {
	for _, c := range loopbackCases {
		for _, transport := range []string{"tcp", "quic"} {
			for _, scheme := range []string{"weft", "gossipsub", "bare"} {
				b.Run(fmt.Sprintf("scheme=%s/transport=%s/peers=%d/size=%s", scheme, transport, c.peers, sizeName(c.size)), func(b *testing.B) {
					var runs []*loopback
					for range b.N {
						asTest(b, func(t *testing.T) { runs = append(runs, loop(t, scheme, transport, c)) })
					}
					reportLoopback(b, runs)
				})
			}
		}
	}
}

// TestLoopback keeps the benchmark from rotting.
func TestLoopback(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs in real time")
	}
	for _, c := range [][2]string{{"weft", "tcp"}, {"weft", "quic"}, {"gossipsub", "tcp"}, {"bare", "tcp"}} {
		t.Run(c[0]+" "+c[1], func(t *testing.T) {
			l := loop(t, c[0], c[1], spreadCase{peers: 3, size: 40 * kB, blocks: 2, every: 200 * ms, quick: true})
			require.Zero(t, l.missing())
			require.Positive(t, l.cpu)
			require.Positive(t, l.heap)
			require.Greater(t, l.copies(), 0.9)
		})
	}
}

// loopback is what was seen of some blocks over real sockets.
type loopback struct {
	*spreading
	usage  // of all peers, from the first block to the last delivery
	formed time.Duration
}

// loop runs a case over real sockets.
func loop(t *testing.T, scheme, transport string, c spreadCase) *loopback {
	c = c.filled()
	roles := make([]role, c.peers)
	roles[0].leads = true
	l := &loopback{spreading: newSpreading(scheme, c, roles)}
	debug.FreeOSMemory()
	switch scheme {
	case "weft":
		l.byWeft(t, transport)
	case "bare":
		l.byBare(t, transport)
	default:
		l.byGossipsub(t, transport, roles)
	}
	return l
}

// restful is for how long is measured what peers cost without blocks.
func (l *loopback) restful() time.Duration {
	if l.quick {
		return 200 * ms
	}
	return 10 * time.Second
}

func (l *loopback) byWeft(t *testing.T, transport string) {
	n := newSocketNet(t, transport, l.peers)
	l.formed = n.startFormed()
	if !l.quick {
		time.Sleep(settling)
	}
	stop := watchUsage(t, l.restful())
	n.spread(l.spreading, n.peers[1:])
	l.usage = stop()
}

// startFormed starts all peers, of which the first leads, and returns how long it took until they knew each other.
func (n *testNet) startFormed() time.Duration {
	start := time.Now()
	for i, p := range n.peers {
		if i == 0 {
			p.start(weft.AsLeader())
		} else {
			p.start()
		}
	}
	for !n.formed() && time.Since(start) < 2*patience {
		time.Sleep(50 * ms)
	}
	require.True(n.t, n.formed(), "the peers do not know each other")
	return time.Since(start)
}

// formed says whether every peer knows every other and is connected to it.
func (n *testNet) formed() bool {
	return !slices.ContainsFunc(n.peers, func(p *testPeer) bool {
		return p.channel.Status().Members < len(n.peers)-1 || len(p.host.Network().Peers()) < len(n.peers)-1
	})
}

func (l *loopback) byGossipsub(t *testing.T, transport string, roles []role) {
	s := newSockets(t, transport, l.peers)
	o := &others{scheme: l.scheme, settling: settling}
	if l.quick {
		o.settling = 2 * time.Second // two heartbeats, that make the mesh
	}
	for i := range roles {
		o.host(t, s.listening(i))
	}
	o.watch = func() func() {
		stop := watchUsage(t, l.restful())
		return func() { l.usage = stop() }
	}
	o.spread(t, l.spreading, roles, rand.New(rand.NewPCG(rand.Uint64(), 3)))
}

// reportLoopback reports what some runs of a case have in common.
func reportLoopback(b *testing.B, runs []*loopback) {
	var spreadings []*spreading
	var cpu, formed, last time.Duration
	var idle float64
	var heap, rss uint64
	c := runs[0].spreadCase
	for _, l := range runs {
		spreadings = append(spreadings, l.spreading)
		cpu, idle, formed, heap = cpu+l.net(), idle+l.idle, formed+l.formed, heap+l.heap
		rss += l.rss
		last = max(last, slices.Max(l.toAll()))
	}
	report(b, spreadings)
	each := float64(len(runs) * c.peers)
	b.ReportMetric(inMs(last), "max-ms")
	b.ReportMetric(inMs(cpu)/each/float64(c.blocks), "cpu-ms/peer-block")
	b.ReportMetric(1000*idle/each, "idle-cpu-ms/peer-s")
	b.ReportMetric(float64(heap)/each/mB, "heap-MB/peer")
	b.ReportMetric(float64(rss)/each/mB, "rss-MB/peer")
	if formed > 0 {
		b.ReportMetric(inMs(formed)/float64(len(runs)), "formed-ms")
	}
}
