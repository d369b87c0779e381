// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/simtest"
)

// TestPiecesTakeTurnsOnIndependentStreams: over QUIC, pieces for one peer go over three streams, so that a lost packet holds back a
// third of what follows, and over ten once a block had parity.
func TestPiecesTakeTurnsOnIndependentStreams(t *testing.T) {
	for parity, streams := range map[bool]int{false: 3, true: 10} {
		t.Run(fmt.Sprint("parity ", parity), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := simtest.New(t, simtest.Link{Latency: 10 * time.Millisecond, BitsPerSecond: 100e6})
				m := emptyMesh(t, net)
				m.parity = parity
				m.populate(net, 2)
				silent, err := libp2p.New(net.Options(2)...)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, silent.Close()) })
				var mu sync.Mutex
				got := map[byte][]int{} // by what a stream is for
				silent.SetStreamHandler(relay.Protocol.ID, func(s network.Stream) {
					var kind [1]byte
					_, _ = io.ReadFull(s, kind[:])
					_, _ = s.Write([]byte{1})
					data, _ := io.ReadAll(s)
					mu.Lock()
					defer mu.Unlock()
					got[kind[0]] = append(got[kind[0]], len(data))
				})
				m.nodes = append(m.nodes, &node{host: silent})
				m.run()
				for number := range uint64(4) {
					m.publish(0, number, 600_000)
					time.Sleep(time.Second)
				}
				m.stop()
				time.Sleep(time.Second)
				mu.Lock()
				defer mu.Unlock()
				require.Len(t, got[1], 2, "control, of two carriers")
				require.Len(t, got[2], 2*streams)
				sum, most := 0, 0
				for _, n := range got[2] {
					sum, most = sum+n, max(most, n)
				}
				require.Greater(t, sum, 4*300_000)
				require.Less(t, most, sum*3/2/streams, "one stream carried most of it")
			})
		})
	}
}

func TestStreamsThatWaitForEachOtherAreOne(t *testing.T) {
	for name, c := range map[string]struct {
		conn network.ConnectionState
		want int
	}{
		"QUIC":         {network.ConnectionState{Transport: "quic-v1"}, 3},
		"WebTransport": {network.ConnectionState{Transport: "webtransport"}, 3},
		"TCP":          {network.ConnectionState{Transport: "tcp", StreamMultiplexer: "/yamux/1.0.0"}, 1},
		"WebSocket":    {network.ConnectionState{Transport: "ws", StreamMultiplexer: "/yamux/1.0.0"}, 1},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, relay.DataStreams(c.conn)) })
	}
}
