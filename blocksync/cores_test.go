// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// BenchmarkCatchUp asks how fast blocks that are there already get from the bytes of the wire into a ledger in memory (tmpfs), on
// one core and on two: the best of all runs, which take turns. What the network and the disk add is not in it.
func BenchmarkCatchUp(b *testing.B) {
	for _, c := range []struct {
		consensus      string
		orderers       int
		blocks, sizeKB int
	}{{devnet.Raft, 1, 512, 16}, {devnet.Raft, 1, 128, 160}, {devnet.Raft, 1, 32, 1024}, {devnet.BFT, 7, 512, 16}} {
		b.Run(fmt.Sprintf("%s=%d/size=%dKB", c.consensus, c.orderers, c.sizeKB), func(b *testing.B) {
			benchmarkCores(b, newPriced(b, c.consensus, c.orderers, c.blocks, c.sizeKB<<10))
		})
	}
}

func benchmarkCores(b *testing.B, p *priced) {
	best := make([]time.Duration, 3) // by cores: whatever else runs on the machine can only add to it
	for b.Loop() {
		for cores := 1; cores <= 2; cores++ {
			l, wire := open(b, "/dev/shm"), p.wire()
			p.appendGenesis(b, l)
			before := runtime.GOMAXPROCS(cores)
			runtime.GC()
			spent := timed(func() { p.catchUp(b, wire, l) })
			if best[cores] == 0 || spent < best[cores] {
				best[cores] = spent
			}
			runtime.GOMAXPROCS(before)
			shut(b, l)
		}
	}
	for cores := 1; cores <= 2; cores++ {
		b.ReportMetric(float64(len(p.raw))/best[cores].Seconds(), fmt.Sprintf("blocks/s-on-%d", cores))
		b.ReportMetric(float64(p.bytes)/1e6/best[cores].Seconds(), fmt.Sprintf("MB/s-on-%d", cores))
	}
	b.ReportMetric(float64(best[1])/float64(best[2]), "x-faster")
	b.ReportMetric(0, "ns/op")
}

// catchUp feeds a sync as fast as it takes blocks, and waits for the last.
func (p *priced) catchUp(b *testing.B, wire [][]byte, l *ledger.Ledger) {
	bundle, err := channelconfig.FromBlock(p.genesis)
	require.NoError(b, err)
	s, err := blocksync.New(blocksync.Config{Channel: "cost", Ledger: l, Verifier: channelconfig.NewVerifier(bundle, p.genesis.Header)})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for i, raw := range wire {
		parsed, err := blocksync.DecodeBlock(raw, uint64(i+1))
		require.NoError(b, err)
		require.NoError(b, s.Submit(ctx, parsed))
	}
	require.NoError(b, s.WaitHeight(ctx, uint64(len(wire))+1))
	cancel()
	require.NoError(b, <-ended)
}
