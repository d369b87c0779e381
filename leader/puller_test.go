// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader"
)

type streamFunc = func(context.Context, uint64, leader.Submit) error

func TestNewChecksConfig(t *testing.T) {
	c := &chain{}
	good := leader.Config{Channel: "ch", Source: &script{}, Height: c.Height, Submit: c.Submit}
	for name, change := range map[string]func(*leader.Config){
		"no source":         func(c *leader.Config) { c.Source = nil },
		"no height":         func(c *leader.Config) { c.Height = nil },
		"no submit":         func(c *leader.Config) { c.Submit = nil },
		"negative timeout":  func(c *leader.Config) { c.Censorship = -1 },
		"negative back-off": func(c *leader.Config) { c.Backoff.Min = -1 },
		"max below min":     func(c *leader.Config) { c.Backoff = leader.Backoff{Min: 2, Max: 1} },
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			change(&bad)
			_, err := leader.New(bad)
			require.Error(t, err)
		})
	}
	_, err := leader.New(good)
	require.NoError(t, err)
}

func TestPullsFromHeightAfterEachBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &chain{height: 3}
		source := &script{streams: []streamFunc{give(2, fail), fail, give(5, hang)}}
		p := newPuller(t, leader.Config{Source: source, Height: c.Height, Submit: c.Submit})
		require.Equal(t, leader.Idle, p.Status().State)
		stop := run(t, p)
		time.Sleep(time.Second)

		_, froms := source.pulls()
		require.Equal(t, []uint64{3, 5, 5}, froms)
		require.EqualValues(t, 10, c.Height())
		require.True(t, p.Streaming())
		status := p.Status()
		require.EqualValues(t, 7, status.Blocks)
		require.Zero(t, status.Failures)
		require.ErrorIs(t, status.LastErr, errDown)
		require.NoError(t, stop())
		require.Equal(t, leader.Idle, p.Status().State)
	})
}

// The pause before attempt n lies between half of and the whole of 100 ms x 1.2^n, never above the longest.
func TestBackoffGrowsWithinJitterBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &chain{}
		source := &script{streams: []streamFunc{fail}}
		const longest = 10 * time.Second
		p := newPuller(t, leader.Config{Source: source, Height: c.Height, Submit: c.Submit, Backoff: leader.Backoff{Max: longest}})
		stop := run(t, p)
		time.Sleep(5 * time.Minute)
		require.NoError(t, stop())

		started, _ := source.pulls()
		require.Greater(t, len(started), 40)
		step, distinct := float64(leader.DefaultMinBackoff), map[time.Duration]bool{}
		for i := 1; i < len(started); i++ {
			pause := started[i].Sub(started[i-1])
			require.GreaterOrEqual(t, float64(pause), step/2-1e3, "attempt %d", i)
			require.LessOrEqual(t, float64(pause), step+1e3, "attempt %d", i)
			distinct[pause] = true
			step = min(step*1.2, float64(longest))
		}
		require.Greater(t, len(distinct), len(started)/2, "the jitter is random")
	})
}

func TestBackoffStartsAnewAfterProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &chain{}
		streams := make([]streamFunc, 0, 32)
		for range 30 {
			streams = append(streams, fail) // 1.2^30 x 100 ms = 24 s
		}
		source := &script{streams: append(streams, give(1, fail), fail)}
		p := newPuller(t, leader.Config{Source: source, Height: c.Height, Submit: c.Submit})
		stop := run(t, p)
		time.Sleep(10 * time.Minute)
		require.NoError(t, stop())
		started, _ := source.pulls()
		require.Greater(t, started[30].Sub(started[29]), 5*time.Second)
		require.LessOrEqual(t, started[31].Sub(started[30]), leader.DefaultMinBackoff)
	})
}

func TestOutageIsLoggedOnceAndNoticedToEndSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, log := &chain{}, &transcript{}
		begin := time.Now()
		up := func(ctx context.Context, from uint64, submit leader.Submit) error {
			if time.Since(begin) < time.Hour {
				return errDown
			}
			return give(1, hang)(ctx, from, submit)
		}
		p := newPuller(t, leader.Config{
			Source: &script{streams: []streamFunc{give(1, fail), up}}, Height: c.Height, Submit: c.Submit, Log: log.logger(),
		})
		stop := run(t, p)
		time.Sleep(time.Minute)
		require.False(t, p.Streaming())
		status := p.Status()
		require.Equal(t, leader.Failing, status.State)
		require.Less(t, status.Since.Sub(begin), time.Millisecond, "failing since the stream broke")
		require.Greater(t, status.Failures, 10)

		// Each pause is a fifth longer than the one before, half of it up to chance: the last one is at most two fifths of the outage.
		time.Sleep(time.Hour + 25*time.Minute - time.Minute)
		require.True(t, p.Streaming())
		require.NoError(t, stop())
		require.Equal(t, 2, log.count(slog.LevelInfo), "it worked, and it works again")
		require.Equal(t, 1, log.count(slog.LevelWarn))
		require.Zero(t, log.count(slog.LevelError))
		require.Greater(t, log.count(slog.LevelDebug), 10)
	})
}

// On a channel where nothing is ordered the orderer says nothing: the stream proves itself by staying open.
func TestQuietStreamCountsAsStreaming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &chain{}
		p := newPuller(t, leader.Config{Source: &script{streams: []streamFunc{hang}}, Height: c.Height, Submit: c.Submit})
		stop := run(t, p)
		time.Sleep(4 * time.Second)
		require.Equal(t, leader.Connecting, p.Status().State)
		time.Sleep(2 * time.Second)
		require.True(t, p.Streaming())
		require.NoError(t, stop())
	})
}

func TestEndpointOfSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &chain{}
		source := &located{script{streams: []streamFunc{hang}}}
		p := newPuller(t, leader.Config{Source: source, Height: c.Height, Submit: c.Submit})
		stop := run(t, p)
		time.Sleep(10 * time.Second)
		require.False(t, p.Streaming(), "a source that is not connected has not proved itself")
		require.NoError(t, stop())

		source.connect("orderer0:7050")
		stop = run(t, p)
		time.Sleep(10 * time.Second)
		require.True(t, p.Streaming())
		require.Equal(t, "orderer0:7050", p.Status().Endpoint)
		require.NoError(t, stop())
	})
}

func TestSubmitHoldsTheStreamBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, gate, sent := &chain{}, make(chan struct{}), 0
		submit := func(ctx context.Context, b *common.Block) error {
			select {
			case <-gate:
				return c.Submit(ctx, b)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		source := &script{streams: []streamFunc{func(ctx context.Context, from uint64, submit leader.Submit) error {
			for n := from; ; n++ {
				if err := submit(ctx, &common.Block{Header: &common.BlockHeader{Number: n}}); err != nil {
					return err
				}
				sent++
			}
		}}}
		p := newPuller(t, leader.Config{Source: source, Height: c.Height, Submit: submit})
		stop := run(t, p)
		for range 3 {
			gate <- struct{}{}
		}
		synctest.Wait()
		require.Equal(t, 3, sent)
		time.Sleep(time.Hour)
		require.EqualValues(t, 3, c.Height())
		require.NoError(t, stop(), "the end of ctx ends a waiting submit")
	})
}

func TestSubmitErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		submitErr error
		ends      bool
	}{
		"refused block: pull again":  {fmt.Errorf("block 0: bad signature"), false},
		"receiver stopped":           {leader.ErrStopped, true},
		"receiver stopped, wrapped":  {fmt.Errorf("submit: %w", leader.ErrStopped), true},
		"another context's deadline": {context.DeadlineExceeded, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &chain{}
				// A source that swallows the error of submit must not keep Run alive.
				swallow := func(ctx context.Context, from uint64, submit leader.Submit) error {
					_ = give(1, hang)(ctx, from, submit)
					return errDown
				}
				source := &script{streams: []streamFunc{swallow}}
				p := newPuller(t, leader.Config{
					Source: source, Height: c.Height,
					Submit: func(context.Context, *common.Block) error { return tc.submitErr },
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := p.Run(ctx)
				started, _ := source.pulls()
				if tc.ends {
					require.ErrorIs(t, err, leader.ErrStopped)
					require.Len(t, started, 1)
				} else {
					require.NoError(t, err)
					require.Greater(t, len(started), 10)
				}
			})
		})
	}
}

func TestGivenUpStreamIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, log := &chain{}, &transcript{}
		moved := func(context.Context, uint64, leader.Submit) error { return nil }
		p := newPuller(t, leader.Config{
			Source: &script{streams: []streamFunc{give(1, moved), give(1, hang)}}, Height: c.Height, Submit: c.Submit, Log: log.logger(),
		})
		stop := run(t, p)
		time.Sleep(time.Second)
		require.True(t, p.Streaming())
		require.NoError(t, stop())
		require.Equal(t, 1, log.count(slog.LevelInfo))
		require.Zero(t, log.count(slog.LevelWarn))
	})
}

func TestMetrics(t *testing.T) {
	none, err := leader.NewMetrics(nil)
	require.NoError(t, err)
	require.Nil(t, none)

	registry := prometheus.NewPedanticRegistry()
	metrics, err := leader.NewMetrics(registry)
	require.NoError(t, err)
	_, err = leader.NewMetrics(registry)
	require.NoError(t, err, "two nodes may share a registry")

	synctest.Test(t, func(t *testing.T) {
		c := &chain{}
		p := newPuller(t, leader.Config{
			Channel: "ch", Source: &script{streams: []streamFunc{give(2, fail), hang}}, Height: c.Height, Submit: c.Submit, Metrics: metrics,
		})
		stop := run(t, p)
		time.Sleep(time.Second)
		compare(t, registry, 1)
		require.NoError(t, stop())
		compare(t, registry, 0)
	})
}

func compare(t *testing.T, registry *prometheus.Registry, leading int) {
	t.Helper()
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(fmt.Sprintf(`
# HELP gossip_leader_election_leader 1 while this node pulls the channel's blocks from the ordering service, else 0.
# TYPE gossip_leader_election_leader gauge
gossip_leader_election_leader{channel="ch"} %d
# HELP weft_leader_blocks_pulled_total Blocks that came from the ordering service and were taken.
# TYPE weft_leader_blocks_pulled_total counter
weft_leader_blocks_pulled_total{channel="ch"} 2
# HELP weft_leader_stream_failures_total Streams from the ordering service that broke or could not be opened.
# TYPE weft_leader_stream_failures_total counter
weft_leader_stream_failures_total{channel="ch"} 1
`, leading))))
}

func TestStateNames(t *testing.T) {
	for state, name := range map[leader.State]string{
		leader.Idle: "idle", leader.Connecting: "connecting", leader.Streaming: "streaming", leader.Failing: "failing", leader.State(99): "unknown",
	} {
		require.Equal(t, name, state.String())
	}
}
