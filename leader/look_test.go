// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader"
)

// TestLook: what a source does during a look, when others tell of the next block, and what the look makes of it.
func TestLook(t *testing.T) {
	const never = time.Hour
	for name, c := range map[string]struct {
		stream streamFunc
		told   time.Duration // after how long others tell of block 5
		want   leader.Finding
		takes  time.Duration
		height uint64
	}{
		"no block":                        {hang, never, leader.Nothing, 5 * time.Second, 5},
		"does not answer":                 {fail, never, leader.Blind, 0, 5},
		"a block of which nobody tells":   {give(1, hang), never, leader.Withheld, 6 * time.Second, 6},
		"many blocks":                     {give(40, hang), never, leader.Withheld, 6 * time.Second, 45},
		"and then the stream breaks":      {give(3, fail), never, leader.Withheld, 5 * time.Second, 8},
		"others told before":              {give(1, hang), 0, leader.Shown, 5 * time.Second, 5},
		"others tell in time":             {give(1, hang), 4900 * time.Millisecond, leader.Shown, 5 * time.Second, 5},
		"others tell too late":            {give(1, hang), 5100 * time.Millisecond, leader.Withheld, 6 * time.Second, 6},
		"a block that comes late":         {after(4900*time.Millisecond, give(1, hang)), never, leader.Withheld, 10900 * time.Millisecond, 6},
		"a block that comes too late":     {after(5100*time.Millisecond, give(1, hang)), never, leader.Nothing, 5 * time.Second, 5},
		"what is not of the chain at all": {refused, never, leader.Blind, 0, 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, chain := time.Now(), &chain{height: 5}
				source := &script{streams: []streamFunc{c.stream}}
				registry := prometheus.NewRegistry()
				metrics, err := leader.NewMetrics(registry)
				require.NoError(t, err)
				p := newPuller(t, leader.Config{Channel: "ch", Source: source, Height: chain.Height, Submit: chain.Submit, Metrics: metrics, Known: func() uint64 {
					if time.Since(start) < c.told {
						return 5
					}
					return 6
				}})
				require.Equal(t, c.want, p.Look(t.Context()))
				require.Equal(t, c.takes, time.Since(start))
				require.Equal(t, c.height, chain.Height())
				require.Equal(t, leader.Idle, p.Status().State)
				count, err := testutil.GatherAndCount(registry, "weft_leader_looks_total")
				require.NoError(t, err)
				require.Equal(t, 1, count, "counted once")
			})
		})
	}
}

// after is silent for a while first.
func after(d time.Duration, then streamFunc) streamFunc {
	return func(ctx context.Context, from uint64, submit leader.Submit) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
			return then(ctx, from, submit)
		}
	}
}

func refused(context.Context, uint64, leader.Submit) error {
	return fmt.Errorf("%w: made up", leader.ErrRefused)
}

// TestLookEndsWithItsContext: at any moment, at once.
func TestLookEndsWithItsContext(t *testing.T) {
	for _, stream := range []streamFunc{hang, give(1, hang)} {
		synctest.Test(t, func(t *testing.T) {
			chain := &chain{}
			p := newPuller(t, leader.Config{Source: &script{streams: []streamFunc{stream}}, Height: chain.Height, Submit: chain.Submit})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			require.Equal(t, leader.Blind, p.Look(ctx))
			require.Equal(t, time.Second, time.Since(start))
			require.Zero(t, chain.Height())
		})
	}
}

// TestForgedBlocksBlameTheSource: a block that is not of the chain shows nothing about the leader; the orderer that brought it is left.
func TestForgedBlocksBlameTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain, source, judge := &chain{}, &blamed{script: script{streams: []streamFunc{give(1, hang)}}}, newJudge()
		judge.settled <- errBad
		p := newPuller(t, leader.Config{Source: source, Height: chain.Height, Submit: chain.Submit, Judge: judge})
		require.Equal(t, leader.Blind, p.Look(t.Context()))
		require.Len(t, source.heard, 1)
		require.ErrorIs(t, source.heard[0], leader.ErrRefused)
	})
}
