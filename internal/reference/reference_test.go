// SPDX-License-Identifier: Apache-2.0

package reference_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/reference"
	"github.com/weft-p2p/weft/internal/simtest"
)

// scheme is a host's part in any of them.
type scheme interface {
	Publish(ctx context.Context, number uint64, block []byte) error
	Run(ctx context.Context) error
}

// network is some hosts, all connected, that run a scheme; the first publishes.
type network struct {
	t     *testing.T
	peers []scheme

	mu   sync.Mutex // guards got
	got  []map[uint64]time.Duration
	sent map[uint64]time.Time
}

const size = 40_000

func start(t *testing.T, n int, build func(ctx context.Context, c reference.Config) (scheme, error)) *network {
	sim := simtest.New(t, simtest.Link{Latency: 25 * time.Millisecond, BitsPerSecond: 100e6})
	net := &network{t: t, sent: map[uint64]time.Time{}}
	hosts := each(n, func(i int) host.Host {
		h, err := libp2p.New(sim.Options(i)...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, h.Close()) })
		return h
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i, h := range hosts {
		c := reference.Config{Host: h, Rand: rand.New(rand.NewPCG(1, uint64(i))), Delivered: func(number uint64) { net.delivered(i, number) }}
		for _, other := range hosts {
			if other != h {
				c.Members = append(c.Members, other.ID())
			}
		}
		p, err := build(ctx, c)
		require.NoError(t, err)
		net.peers, net.got = append(net.peers, p), append(net.got, map[uint64]time.Duration{})
		running.Go(func() { require.NoError(t, p.Run(ctx)) })
		for _, other := range hosts[:i] {
			require.NoError(t, h.Connect(ctx, peer.AddrInfo{ID: other.ID(), Addrs: other.Addrs()}))
		}
	}
	t.Cleanup(func() { cancel(); running.Wait() })
	time.Sleep(5 * time.Second)
	return net
}

func each[T any](n int, f func(int) T) []T {
	all := make([]T, n)
	for i := range all {
		all[i] = f(i)
	}
	return all
}

func (n *network) delivered(i int, number uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	require.NotContains(n.t, n.got[i], number, "a block is delivered once")
	n.got[i][number] = time.Since(n.sent[number])
}

func (n *network) publish(number uint64) {
	n.mu.Lock()
	n.sent[number] = time.Now()
	n.mu.Unlock()
	block := make([]byte, size)
	block[0] = byte(number)
	require.NoError(n.t, n.peers[0].Publish(context.Background(), number, block))
}

// took is how long a block took to each host that has it.
func (n *network) took(number uint64) []time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []time.Duration
	for _, got := range n.got[1:] {
		if d, ok := got[number]; ok {
			all = append(all, d)
		}
	}
	return all
}

func TestGossipsub(t *testing.T) {
	for name, piece := range map[string]int{"defaults": 0, "pieces": 32 << 10} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, 8, func(ctx context.Context, c reference.Config) (scheme, error) {
					return reference.NewGossipsub(ctx, c, piece)
				})
				n.publish(1)
				n.publish(2)
				time.Sleep(2 * time.Second)
				require.Len(t, n.took(1), 7)
				require.Len(t, n.took(2), 7)
			})
		})
	}
}

func TestMuteNeighboursPassNothingOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, 16, func(ctx context.Context, c reference.Config) (scheme, error) {
			c.Mute = true
			return reference.NewGossipsub(ctx, c, 32<<10)
		})
		n.publish(1)
		time.Sleep(3 * time.Second)
		require.Empty(t, n.took(1), "what the first host's neighbours swallow goes nowhere")
	})
}

// Three targets, each block once: about one peer in twenty is nobody's target and waits for its pull, one second for
// digests after up to four for the round.
func TestFabricPushesMostAndPullsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const peers, blocks = 25, 12
		n := start(t, peers, newFabric)
		for number := range uint64(blocks) {
			n.publish(number + 1)
			time.Sleep(time.Second)
		}
		time.Sleep(10 * time.Second)
		pulled := 0
		for number := range uint64(blocks) {
			times := n.took(number + 1)
			require.Len(t, times, peers-1, "block %d", number+1)
			for _, d := range times {
				require.Less(t, d, 6*time.Second)
				if d > time.Second {
					pulled++
				}
			}
		}
		require.InDelta(t, 0.05, float64(pulled)/blocks/(peers-1), 0.04, "share that had to be pulled")
	})
}

func TestFabricOfTheMuteOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, 4, func(ctx context.Context, c reference.Config) (scheme, error) {
			c.Mute = true
			return newFabric(ctx, c)
		})
		n.publish(1)
		time.Sleep(10 * time.Second)
		require.Empty(t, n.took(1))
	})
}

func newFabric(_ context.Context, c reference.Config) (scheme, error) {
	return reference.NewFabric(c), nil
}
