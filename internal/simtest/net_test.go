// SPDX-License-Identifier: Apache-2.0

package simtest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
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
