// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader"
)

// watching is an Elector that follows "a", and the look under way.
type watching struct {
	*leader.Elector
	gone             atomic.Bool // the leader is
	leading, looking atomic.Int32
	looks            atomic.Int32 // since the start
	found            chan leader.Finding
}

func newWatching(t *testing.T) *watching {
	w := &watching{found: make(chan leader.Finding)}
	var err error
	w.Elector, err = leader.NewElector(leader.ElectorConfig{
		Input: func() leader.Input {
			in := leader.Input{Self: "b", CanPull: true}
			if !w.gone.Load() {
				in.Peers = []leader.Candidate{{ID: "a", Leads: true, LastSeen: time.Now()}}
			}
			return in
		},
		Lead: func(ctx context.Context) error {
			require.Zero(t, w.looking.Load(), "nobody looks while we lead")
			w.leading.Add(1)
			defer w.leading.Add(-1)
			<-ctx.Done()
			return nil
		},
		Look: func(ctx context.Context) leader.Finding {
			require.Zero(t, w.leading.Load(), "nobody looks while we lead")
			w.looks.Add(1)
			w.looking.Add(1)
			defer w.looking.Add(-1)
			select {
			case f := <-w.found:
				return f
			case <-ctx.Done():
				time.Sleep(time.Second) // it takes a moment to close what is open
				return leader.Blind
			}
		},
	})
	require.NoError(t, err)
	return w
}

// run runs the Elector until the returned function is called, which waits for its end.
func (w *watching) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
		require.Zero(t, w.looking.Load()+w.leading.Load(), "nothing is left running")
	}
}

// TestElectorLooksAndLeads: who finds that the leader withholds leads at once.
func TestElectorLooksAndLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatching(t)
		stop := w.run(t)
		time.Sleep(45 * time.Second)
		require.EqualValues(t, 1, w.looking.Load())
		w.found <- leader.Nothing
		time.Sleep(45 * time.Second)
		require.EqualValues(t, 2, w.looks.Load())
		require.Equal(t, peer.ID("a"), w.Leader())
		w.found <- leader.Withheld
		synctest.Wait()
		require.Equal(t, peer.ID("b"), w.Leader())
		require.EqualValues(t, 1, w.leading.Load())
		time.Sleep(5 * time.Minute)
		require.EqualValues(t, 2, w.looks.Load(), "a leader does not look")
		stop()
	})
}

// TestElectorEndsALook: when we stop in the midst of one.
func TestElectorEndsALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatching(t)
		stop := w.run(t)
		time.Sleep(45 * time.Second)
		require.EqualValues(t, 1, w.looking.Load())
		stop()
	})
}

// TestElectorLeadsInTheMidstOfALook: the look ends before.
func TestElectorLeadsInTheMidstOfALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatching(t)
		stop := w.run(t)
		time.Sleep(45 * time.Second)
		require.EqualValues(t, 1, w.looking.Load())
		w.gone.Store(true)
		w.Wake()
		time.Sleep(5 * time.Second)
		require.EqualValues(t, 1, w.leading.Load())
		require.Zero(t, w.looking.Load())
		stop()
	})
}
