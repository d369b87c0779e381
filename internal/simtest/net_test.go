// SPDX-License-Identifier: Apache-2.0

package simtest_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/simtest"
)

func pair(t *testing.T, n *simtest.Net) (a, b host.Host) {
	hosts := make([]host.Host, 2)
	for i := range hosts {
		h, err := libp2p.New(n.Options(i)...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, h.Close()) })
		hosts[i] = h
	}
	require.NoError(t, hosts[0].Connect(t.Context(), peer.AddrInfo{ID: hosts[1].ID(), Addrs: hosts[1].Addrs()}))
	return hosts[0], hosts[1]
}

func roundTrip(t *testing.T, a, b host.Host, wait time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	r, ok := <-ping.Ping(ctx, a, b.ID())
	if !ok {
		return 0, ctx.Err()
	}
	return r.RTT, r.Error
}

func TestLatencyCutAndPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simtest.New(t, simtest.Link{Latency: 25 * time.Millisecond, BitsPerSecond: 100e6})
		a, b := pair(t, n)

		rtt, err := roundTrip(t, a, b, time.Second)
		require.NoError(t, err)
		require.InDelta(t, 50, rtt.Milliseconds(), 1)

		n.Cut(1)
		_, err = roundTrip(t, a, b, time.Second)
		require.Error(t, err)
		n.Mend(1)
		_, err = roundTrip(t, a, b, 5*time.Second)
		require.NoError(t, err, "a cut shorter than QUIC's idle timeout leaves the connection alive")

		n.Partition([]int{0}, []int{1})
		_, err = roundTrip(t, a, b, time.Second)
		require.Error(t, err)
		n.Heal()
		_, err = roundTrip(t, a, b, 5*time.Second)
		require.NoError(t, err)
	})
}

func TestLossIsRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simtest.New(t, simtest.Link{Latency: 5 * time.Millisecond, Loss: 0.05})
		a, b := pair(t, n)
		for range 20 {
			_, err := roundTrip(t, a, b, 5*time.Second)
			require.NoError(t, err)
		}
	})
}

func TestLatencyByPairAndUplinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simtest.New(t, simtest.Link{BitsPerSecond: 100e6})
		n.SetLink(1, simtest.Link{BitsPerSecond: 100e6, Up: 1e6})
		n.SetLatency(func(from, to int) time.Duration { return time.Duration(10+from) * time.Millisecond })
		a, b := pair(t, n)

		rtt, err := roundTrip(t, a, b, time.Second)
		require.NoError(t, err)
		require.InDelta(t, 21, rtt.Milliseconds(), 2)

		before := n.Carried()
		const size = 125_000 // 10 ms at 100 Mbit/s, 1 s at 1 Mbit/s
		require.Less(t, transfer(t, a, b, size), 200*time.Millisecond)
		require.InDelta(t, 1.1, transfer(t, b, a, size).Seconds(), 0.15)
		require.InDelta(t, 2*size, n.Carried()-before, 0.5*size, "what else QUIC says comes on top")
	})
}

// transfer is how long some bytes take from one host to another.
func transfer(t *testing.T, from, to host.Host, size int) time.Duration {
	const protocol = "/bytes"
	arrived := make(chan time.Time, 1)
	to.SetStreamHandler(protocol, func(s network.Stream) {
		_, _ = io.Copy(io.Discard, s)
		arrived <- time.Now()
		_ = s.Close()
	})
	start := time.Now()
	s, err := from.NewStream(t.Context(), to.ID(), protocol)
	require.NoError(t, err)
	_, err = s.Write(make([]byte, size))
	require.NoError(t, err)
	require.NoError(t, s.CloseWrite())
	took := (<-arrived).Sub(start)
	require.NoError(t, s.Close())
	return took
}

func TestNoNamesAreResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, simtest.New(t, simtest.Link{}))
		require.NoError(t, a.Network().ClosePeer(b.ID()))
		addr := ma.StringCast("/dns4/localhost/udp/8000/quic-v1")
		a.Peerstore().ClearAddrs(b.ID())
		require.Error(t, a.Connect(t.Context(), peer.AddrInfo{ID: b.ID(), Addrs: []ma.Multiaddr{addr}}))
	})
}
