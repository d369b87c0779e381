// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader"
)

// world is what an Elector under test sees and does.
type world struct {
	mu      sync.Mutex // guards the fields below
	in      leader.Input
	ending  time.Duration // how long Lead takes to end
	fails   error         // what Lead returns at once
	terms   int           // how often Lead ran
	leading atomic.Int32  // how many run now
	changes []string
	log     strings.Builder
	gauge   *prometheus.Registry
	*leader.Elector
}

func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func newWorld(t *testing.T) *world {
	w := &world{in: leader.Input{Self: "b", CanPull: true}, gauge: prometheus.NewRegistry()}
	metrics, err := leader.NewMetrics(w.gauge)
	require.NoError(t, err)
	w.Elector, err = leader.NewElector(leader.ElectorConfig{
		Channel: "ch", Input: w.input, Lead: w.lead, Changed: w.changed, Metrics: metrics,
		Log: slog.New(slog.NewTextHandler(w, nil)),
	})
	require.NoError(t, err)
	return w
}

func (w *world) input() leader.Input {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.in
}

func (w *world) lead(ctx context.Context) error {
	defer w.leading.Add(-1)
	if w.leading.Add(1) > 1 {
		panic("two at once")
	}
	w.mu.Lock()
	w.terms++
	fails, ending := w.fails, w.ending
	w.mu.Unlock()
	if fails != nil {
		return fails
	}
	<-ctx.Done()
	time.Sleep(ending)
	return nil
}

func (w *world) changed(id peer.ID, lead bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes = append(w.changes, fmt.Sprintf("%s %v", string(id), lead))
}

// ran is how often Lead ran.
func (w *world) ran() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.terms
}

func (w *world) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.changes)
}

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// see changes the view and says so.
func (w *world) see(peers ...leader.Candidate) {
	w.mu.Lock()
	for i := range peers {
		peers[i].LastSeen = time.Now()
	}
	w.in.Peers = peers
	w.mu.Unlock()
	w.Wake()
}

func (w *world) leads(t *testing.T, want float64) {
	require.NoError(t, testutil.GatherAndCompare(w.gauge, strings.NewReader(fmt.Sprintf(`
		# HELP gossip_leader_election_leader 1 while this node pulls the channel's blocks from the ordering service, else 0.
		# TYPE gossip_leader_election_leader gauge
		gossip_leader_election_leader{channel="ch"} %v
	`, want)), "gossip_leader_election_leader"))
}

// runElector runs until the returned function is called, which reports Run's result.
func runElector(t *testing.T, w *world) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	synctest.Wait()
	return func() error {
		cancel()
		return <-done
	}
}

func TestElectorChecksConfig(t *testing.T) {
	good := leader.ElectorConfig{Input: func() leader.Input { return leader.Input{} }, Lead: func(context.Context) error { return nil }}
	_, err := leader.NewElector(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*leader.ElectorConfig){
		"no input": func(c *leader.ElectorConfig) { c.Input = nil },
		"no lead":  func(c *leader.ElectorConfig) { c.Lead = nil },
		"timing":   func(c *leader.ElectorConfig) { c.Timing.Settle = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			change(&bad)
			_, err := leader.NewElector(bad)
			require.Error(t, err)
		})
	}
}

func TestElectorLeadsAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.ending = time.Second
		require.Zero(t, w.Decision())
		stop := runElector(t, w)
		w.leads(t, 0)
		require.Equal(t, leader.Settling, w.Decision().Reason)
		time.Sleep(3500 * time.Millisecond)
		require.True(t, w.Leads())
		require.Equal(t, peer.ID("b"), w.Leader())
		require.EqualValues(t, 1, w.leading.Load())
		w.leads(t, 1)

		before := time.Now()
		require.NoError(t, stop())
		require.Equal(t, time.Second, time.Since(before), "Run waits for the end of Lead")
		require.Zero(t, w.leading.Load())
		require.False(t, w.Leads())
		require.Empty(t, w.Leader())
		w.leads(t, 0)
		require.Equal(t, []string{"b true", "b true", " false"}, w.told(), "elected, repeated once, stopped")
		require.Contains(t, w.logged(), "Elected as a leader, starting delivery service for channel ch")
		require.Contains(t, w.logged(), "Renounced leadership, stopping delivery service for channel ch")
		require.NotContains(t, w.logged(), "level=WARN")
	})
}

func TestElectorFollowsAndTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.see(leader.Candidate{ID: "a", Leads: true}, leader.Candidate{ID: "c"})
		stop := runElector(t, w)
		require.Equal(t, peer.ID("a"), w.Leader())
		require.False(t, w.Leads())
		time.Sleep(5 * time.Second)
		w.see(leader.Candidate{ID: "c"})
		synctest.Wait()
		require.True(t, w.Leads(), "at once")
		require.NoError(t, stop())
		require.Equal(t, []string{"a false", "b true", " false"}, w.told())
	})
}

// Stepping down is said before the last term has ended, and another term waits for that.
func TestElectorTermsDoNotOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.ending = 3 * time.Second
		stop := runElector(t, w)
		time.Sleep(4 * time.Second)
		require.True(t, w.Leads())
		w.see(leader.Candidate{ID: "a", Height: 1000, Leads: true})
		synctest.Wait()
		require.False(t, w.Leads())
		require.Equal(t, peer.ID("a"), w.Leader())
		require.EqualValues(t, 1, w.leading.Load(), "it is still ending")
		w.see()
		synctest.Wait()
		require.False(t, w.Leads())
		time.Sleep(w.ending + time.Millisecond)
		synctest.Wait()
		require.True(t, w.Leads(), "a has gone, nobody else is there")
		require.EqualValues(t, 1, w.leading.Load())
		require.Equal(t, 2, w.ran())
		require.NoError(t, stop())
		require.Zero(t, w.leading.Load())
	})
}

func TestElectorYieldsWhenLeadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.fails = errors.New("no orderer")
		stop := runElector(t, w)
		time.Sleep(2*time.Second + time.Millisecond)
		require.False(t, w.Leads())
		require.Equal(t, leader.Resting, w.Decision().Reason)
		require.Equal(t, 1, w.ran())
		w.leads(t, 0)
		time.Sleep(time.Minute)
		require.InDelta(t, 13, w.ran(), 1, "every 5 s")
		require.Contains(t, w.logged(), "no orderer")

		w.see(leader.Candidate{ID: "c"})
		time.Sleep(100 * time.Millisecond)
		w.see(leader.Candidate{ID: "c", Leads: true})
		before := w.ran()
		time.Sleep(5 * time.Second)
		require.Equal(t, peer.ID("c"), w.Leader())
		require.Equal(t, before, w.ran())
		require.NoError(t, stop())
	})
}

func TestElectorWakeNeverBlocks(t *testing.T) {
	w := newWorld(t)
	for range 100 {
		w.Wake()
	}
}
