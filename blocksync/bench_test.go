// SPDX-License-Identifier: Apache-2.0

//go:build unix

package blocksync_test

import (
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkCatchUpNetwork is CPU: real libp2p over a simulated network, verification included, a ledger in memory. A benchmark
// enters a bubble through testing.RunTests.
func BenchmarkCatchUpNetwork(b *testing.B) {
	for _, size := range []int{1 << 10, 128 << 10} {
		b.Run(fmt.Sprintf("%d KiB", size>>10), func(b *testing.B) {
			const blocks = 200
			var spent time.Duration
			for b.Loop() {
				spent += catchUp(b, blocks, size)
			}
			b.ReportMetric(float64(blocks*b.N)/spent.Seconds(), "blocks/s")
		})
	}
}

// catchUp is the CPU time that a catch-up takes on both sides; the clock of a bubble says nothing of it.
func catchUp(b *testing.B, blocks, size int) (spent time.Duration) {
	match := func(string, string) (bool, error) { return true, nil }
	require.True(b, testing.RunTests(match, []testing.InternalTest{{Name: "catch-up", F: func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNet(t)
			n.Grow(t, blocks, size)
			full, behind := n.node(t, blocks+1), n.node(t, 1)
			connect(t, behind, full)
			start := processTime()
			behind.Have(full.ID(), uint64(blocks)+1)
			require.NoError(t, behind.WaitHeight(t.Context(), uint64(blocks)+1))
			spent = processTime() - start
		})
	}}}))
	return spent
}

// processTime is the CPU time of this process.
func processTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
