// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"github.com/weft-p2p/weft/internal/simtest"
)

// network is one network to measure: peers on links of one bandwidth and latency.
type benchCase struct {
	peers     int
	size      int // bytes of a block's transaction
	label     string
	bandwidth int // bits a second, up and down
	rtt       time.Duration
	loss      float64
}

var benchCases = []benchCase{
	{peers: 50, size: 160 << 10, label: "160KB", bandwidth: 100e6, rtt: 50 * time.Millisecond},
	{peers: 50, size: 1 << 20, label: "1MB", bandwidth: 100e6, rtt: 50 * time.Millisecond},
}

// benchBlocks are ordered one a second.
const benchBlocks = 10

// BenchmarkDissemination answers: how long does a block take from the hands of its first peer to every other, how many
// bytes does that cost, and how far is it from the floor, size/bandwidth + round trip? Beside weft stands what the library
// does by itself: gossipsub with its defaults, carrying whole blocks on the same network. Time is virtual.
func BenchmarkDissemination(b *testing.B) {
	schemes := []struct {
		name string
		run  func(*testing.T, benchCase) *spreading
	}{{"weft", spreadByWeft}, {"gossipsub", spreadByGossipsub}}
	for _, c := range benchCases {
		for _, s := range schemes {
			name := fmt.Sprintf("scheme=%s/peers=%d/size=%s/bw=%dMbps/rtt=%s/loss=%g", s.name, c.peers, c.label, c.bandwidth/1e6, c.rtt, c.loss)
			b.Run(name, func(b *testing.B) {
				for range b.N {
					inBubble(b, func(t *testing.T) { s.run(t, c).report(b, c) })
				}
			})
		}
	}
}

// inBubble runs f in virtual time: a benchmark itself cannot enter a bubble.
func inBubble(b *testing.B, f func(*testing.T)) {
	b.Helper()
	test := testing.InternalTest{Name: b.Name(), F: func(t *testing.T) { synctest.Test(t, f) }}
	if !testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{test}) {
		b.Fatal("the simulation failed")
	}
}

func (c benchCase) link() simtest.Link {
	return simtest.Link{Latency: c.rtt / 2, BitsPerSecond: c.bandwidth, Loss: c.loss}
}

// spreading is what was seen of some blocks: how long each took to each peer but the first, and what all received.
type spreading struct {
	mu       sync.Mutex // guards times
	times    [][]time.Duration
	received int64
	bytes    int64 // of the blocks
}

func newSpreading() *spreading { return &spreading{times: make([][]time.Duration, benchBlocks)} }

func (s *spreading) arrived(block int, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times[block] = append(s.times[block], took)
}

// report reports the figures: p50 and p99 over all blocks and peers, the median over blocks of the time to the last peer,
// and copies, the bytes received by what had to be received.
func (s *spreading) report(b *testing.B, c benchCase) {
	var all, last []time.Duration
	for number, times := range s.times {
		if len(times) != c.peers-1 {
			b.Errorf("block %d reached %d of %d peers", number+1, len(times), c.peers-1)
			continue
		}
		all = append(all, times...)
		last = append(last, slices.Max(times))
	}
	if len(last) < benchBlocks {
		return
	}
	slices.Sort(all)
	slices.Sort(last)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(all[len(all)/2]), "p50-ms")
	b.ReportMetric(ms(all[len(all)*99/100]), "p99-ms")
	b.ReportMetric(ms(last[len(last)/2]), "toall-ms")
	b.ReportMetric(float64(s.received)/(float64(c.peers-1)*float64(s.bytes)), "copies")
	b.ReportMetric(ms(time.Duration(float64(c.size*8)/float64(c.bandwidth)*float64(time.Second))+c.rtt), "floor-ms")
	b.ReportMetric(0, "ns/op") // wall time says nothing here
}

// spreadByWeft measures one organization with one leader. The clock starts when the ordering service has signed a block:
// the leader has it at that moment.
func spreadByWeft(t *testing.T, c benchCase) *spreading {
	n, s := newNet(t, c.link(), 1, c.peers), newSpreading()
	n.startAll()
	time.Sleep(20 * time.Second)
	before := n.received()
	ctx, cancel := context.WithCancel(context.Background())
	var watchers sync.WaitGroup
	first := n.orderer.Height()
	start := time.Now()
	for _, p := range n.peers[1:] {
		watchers.Go(func() {
			for i := range benchBlocks {
				if p.channel.WaitHeight(ctx, first+uint64(i)+1) != nil {
					return
				}
				s.arrived(i, time.Since(start.Add(time.Duration(i)*time.Second)))
			}
		})
	}
	n.order(benchBlocks, c.size, time.Second)
	n.requireAll(time.Minute, n.peers...)
	cancel()
	watchers.Wait()
	s.received = n.received() - before
	for i := range benchBlocks {
		s.bytes += int64(len(n.ordered(first + uint64(i)).Data.Data[0]))
	}
	return s
}

// received is what all peers have received on weft's streams and topics.
func (n *testNet) received() (bytes int64) {
	for _, p := range n.peers {
		weft, pubsub := p.traffic.received()
		bytes += weft + pubsub
	}
	return bytes
}

// spreadByGossipsub measures the library alone: every host connected to every other, gossipsub with its defaults but for the
// size of a message, whole blocks on one topic.
func spreadByGossipsub(t *testing.T, c benchCase) *spreading {
	n, s := simtest.New(t, c.link()), newSpreading()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	topics := make([]*pubsub.Topic, c.peers)
	counters := make([]*traffic, c.peers)
	var infos []peer.AddrInfo
	sent := make([]time.Time, benchBlocks)
	for i := range c.peers {
		counters[i] = newTraffic()
		h, err := libp2p.New(append(n.Options(i), libp2p.BandwidthReporter(counters[i]))...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, h.Close()) })
		ps, err := pubsub.NewGossipSub(ctx, h, pubsub.WithMaxMessageSize(4<<20))
		require.NoError(t, err)
		topics[i], err = ps.Join("blocks")
		require.NoError(t, err)
		sub, err := topics[i].Subscribe()
		require.NoError(t, err)
		if i > 0 {
			go receiveBlocks(ctx, sub, sent, s)
		}
		for _, other := range infos {
			require.NoError(t, h.Connect(ctx, other))
		}
		infos = append(infos, peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()})
	}
	time.Sleep(20 * time.Second)
	before := sum(counters)
	random := rand.NewChaCha8([32]byte{})
	for i := range benchBlocks {
		block := make([]byte, c.size)
		_, _ = random.Read(block) // never fails
		block[0] = byte(i)
		sent[i] = time.Now()
		s.bytes += int64(len(block))
		require.NoError(t, topics[0].Publish(ctx, block))
		time.Sleep(time.Second)
	}
	time.Sleep(time.Minute)
	s.received = sum(counters) - before
	cancel()
	return s
}

func receiveBlocks(ctx context.Context, sub *pubsub.Subscription, sent []time.Time, s *spreading) {
	for {
		m, err := sub.Next(ctx)
		if err != nil {
			return
		}
		s.arrived(int(m.Data[0]), time.Since(sent[m.Data[0]]))
	}
}

func sum(counters []*traffic) (bytes int64) {
	for _, c := range counters {
		_, pubsub := c.received()
		bytes += pubsub
	}
	return bytes
}
