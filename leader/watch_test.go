// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader"
)

// blamed is a script that hears what was wrong.
type blamed struct {
	script
	heard []error
	known atomic.Uint64
}

func (b *blamed) Blame(err error) error {
	b.heard = append(b.heard, err)
	return fmt.Errorf("orderer0: %w", err)
}

func (b *blamed) Known() uint64 { return b.known.Load() }

// judge is a [leader.Judge] that says what the test puts into it.
type judge struct {
	refused chan error
	settled chan error
}

func newJudge() *judge { return &judge{make(chan error, 1), make(chan error, 1)} }

func (j *judge) Refused(ctx context.Context) error {
	select {
	case err := <-j.refused:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (j *judge) Settle(context.Context) error {
	select {
	case err := <-j.settled:
		return err
	default:
		return nil
	}
}

var errBad = fmt.Errorf("%w: bad signature", leader.ErrRefused)

// A verdict ends the stream at once, though no other block comes, and is held against where the block came from.
func TestVerdictEndsTheStreamAtOnce(t *testing.T) {
	for name, say := range map[string]func(j *judge, p *leader.Config){
		"while the next block is awaited": func(j *judge, _ *leader.Config) { j.refused <- errBad },
		"when the stream has broken by itself": func(j *judge, p *leader.Config) {
			p.Source.(*blamed).streams[0] = give(1, fail)
			j.settled <- errBad
		},
		"by Submit": func(_ *judge, p *leader.Config) {
			p.Source.(*blamed).streams[0] = give(1, func(context.Context, uint64, leader.Submit) error { return errBad })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, j, log := &chain{}, newJudge(), &transcript{}
				source := &blamed{script: script{streams: []streamFunc{give(1, hang), give(1, hang)}}}
				cfg := leader.Config{Source: source, Height: c.Height, Submit: c.Submit, Judge: j, Log: log.logger()}
				say(j, &cfg)
				stop := run(t, newPuller(t, cfg))
				time.Sleep(leader.DefaultMinBackoff)
				synctest.Wait()
				started, froms := source.pulls()
				require.Len(t, started, 2)
				require.Equal(t, []uint64{0, 1}, froms)
				require.Len(t, source.heard, 1)
				require.ErrorIs(t, source.heard[0], leader.ErrRefused)
				require.Equal(t, 1, log.count(slog.LevelWarn))
				require.Contains(t, log.buf.String(), "orderer0: leader: the source brought a block that is not of this chain: bad signature")
				require.NoError(t, stop())
			})
		})
	}
}

// The next stream does not begin before what the last one brought is judged, and Settle is not asked for what has ended.
func TestNextStreamWaitsForTheVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, gate := &chain{}, make(chan struct{})
		source := &script{streams: []streamFunc{give(1, fail), hang}}
		stop := run(t, newPuller(t, leader.Config{Source: source, Height: c.Height, Submit: c.Submit, Judge: slow{gate}}))
		time.Sleep(time.Hour)
		started, _ := source.pulls()
		require.Len(t, started, 1)
		close(gate)
		time.Sleep(time.Second)
		started, _ = source.pulls()
		require.Len(t, started, 2)
		require.NoError(t, stop())
	})
}

// slow is a judge that settles when its gate opens.
type slow struct{ gate chan struct{} }

func (slow) Refused(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func (s slow) Settle(ctx context.Context) error {
	select {
	case <-s.gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A source that has nothing but lies is asked less and less often.
func TestLiesDoNotResetTheBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &chain{}
		lie := give(1, func(context.Context, uint64, leader.Submit) error { return errBad })
		source := &script{streams: []streamFunc{lie}}
		stop := run(t, newPuller(t, leader.Config{Source: source, Height: c.Height, Submit: c.Submit}))
		time.Sleep(time.Hour)
		started, _ := source.pulls()
		require.Less(t, len(started), 60)
		require.NoError(t, stop())
	})
}

// Blocks that are known to exist and do not come end the stream after the timeout, whoever knows of them; not before.
func TestWithholdingSourceIsLeft(t *testing.T) {
	for name, know := range map[string]func(c *leader.Config, height uint64){
		"peers know":            func(c *leader.Config, height uint64) { c.Known = func() uint64 { return height } },
		"the source knows more": func(c *leader.Config, height uint64) { c.Source.(*blamed).known.Store(height) },
		"both, of another block": func(c *leader.Config, height uint64) {
			c.Known = func() uint64 { return 1 }
			c.Source.(*blamed).known.Store(height)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &chain{}
				source := &blamed{script: script{streams: []streamFunc{give(1, hang), give(4, hang)}}}
				cfg := leader.Config{Source: source, Height: c.Height, Submit: c.Submit, Censorship: 10 * time.Second}
				know(&cfg, 4)
				begin := time.Now()
				p := newPuller(t, cfg)
				stop := run(t, p)
				time.Sleep(time.Hour)
				started, froms := source.pulls()
				require.Equal(t, []uint64{0, 1}, froms, "the second one gave all, and is left alone")
				require.InDelta(t, 10, started[1].Sub(begin).Seconds(), 0.3)
				require.Len(t, source.heard, 1)
				require.ErrorIs(t, source.heard[0], leader.ErrWithheld)
				require.True(t, p.Streaming())
				require.NoError(t, stop())
			})
		})
	}
}
