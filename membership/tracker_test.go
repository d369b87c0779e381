// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/membership"
)

// tracked is a running tracker and what it has said, as "1.5s joined".
type tracked struct {
	*membership.Tracker
	registry *prometheus.Registry
	log      *bytes.Buffer
	stop     func()

	mu     sync.Mutex
	events []string
}

func track(t *testing.T, change func(*membership.TrackerConfig)) *tracked {
	w, start := &tracked{registry: prometheus.NewRegistry(), log: new(bytes.Buffer)}, time.Now()
	metrics, err := membership.NewMetrics(w.registry)
	require.NoError(t, err)
	c := membership.TrackerConfig{
		View: membership.ViewConfig{Scope: scope}, Channel: "mychannel", Metrics: metrics,
		Log: slog.New(slog.NewTextHandler(w.log, nil)),
		OnChange: func(changes []membership.Change) {
			w.mu.Lock()
			defer w.mu.Unlock()
			var kinds []string
			for _, c := range changes {
				kinds = append(kinds, c.Kind.String())
			}
			w.events = append(w.events, fmt.Sprint(time.Since(start), " ", strings.Join(kinds, " ")))
		},
	}
	if change != nil {
		change(&c)
	}
	w.Tracker, err = membership.NewTracker(c)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { require.NoError(t, w.Run(ctx)) })
	w.stop = func() { cancel(); running.Wait() }
	synctest.Wait()
	return w
}

func (w *tracked) gauge() string {
	families, err := w.registry.Gather()
	if err != nil || len(families) == 0 {
		return ""
	}
	m := families[0].GetMetric()[0]
	return fmt.Sprintf("%s{%s} %g", families[0].GetName(), m.GetLabel()[0].GetValue(), m.GetGauge().GetValue())
}

func TestTrackerExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := track(t, nil)
		id := identity(t, "Org1MSP")
		time.Sleep(time.Second)
		w.Observe(membership.Channel, beat(record(t, "alice", id, 1), 1, 5))
		synctest.Wait()
		require.Equal(t, "gossip_membership_total_peers_known{mychannel} 1", w.gauge())
		time.Sleep(600 * time.Second)
		require.Equal(t, "gossip_membership_total_peers_known{mychannel} 0", w.gauge())
		w.stop()
		require.Equal(t, []string{"1s joined", "26s died", "8m21s purged"}, w.events)
		require.Empty(t, w.gauge(), "a channel that was left has no metric")
		require.Equal(t, 3, strings.Count(w.log.String(), "membership view has changed"))
		require.Contains(t, w.log.String(), "channel=mychannel alive=1 dead=0 joined.count=1 joined.peers=["+peerID(t, "alice").String())
		require.Contains(t, w.log.String(), "died.count=1")
	})
}

func TestTrackerSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := track(t, nil)
		r := record(t, "alice", identity(t, "Org1MSP"), 1)
		time.Sleep(time.Second)
		for sequence := range uint64(30) { // one every 10 ms
			w.Observe(membership.Channel, beat(r, sequence+1, sequence))
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		w.stop()
		require.Equal(t, []string{"1s joined", "1.1s advanced", "1.2s advanced", "1.3s advanced"}, w.events)
	})
}

// A member that comes and goes all the time makes one line every five seconds.
func TestTrackerLogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := track(t, nil)
		r := record(t, "alice", identity(t, "Org1MSP"), 1)
		time.Sleep(time.Minute)
		for i := range uint64(50) {
			h := beat(r, i+1, 5)
			h.Leaving = i%2 == 1
			w.Observe(membership.Channel, h)
			time.Sleep(210 * time.Millisecond)
		}
		w.stop()
		require.Greater(t, len(w.events), 40)
		require.Equal(t, 3, strings.Count(w.log.String(), "membership view has changed"), w.log)
	})
}

func TestTrackerUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := track(t, nil)
		r := record(t, "alice", identity(t, "Org1MSP"), 1)
		time.Sleep(time.Second)
		w.Observe(membership.Channel, beat(r, 1, 5))
		time.Sleep(time.Second)
		w.Unreachable(r.PeerID())
		time.Sleep(time.Second)
		w.Observe(membership.Channel, beat(r, 2, 5))
		time.Sleep(time.Second)
		w.Unreachable(r.PeerID()) // now a suspicion: 10 s after the last heartbeat
		time.Sleep(time.Minute)
		w.Forget(r.PeerID())
		synctest.Wait()
		w.stop()
		require.Equal(t, []string{"1s joined", "2s died", "3s returned", "13s died", "1m4s purged"}, w.events)
	})
}

func TestTrackerKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := track(t, nil)
		r := record(t, "alice", identity(t, "Org1MSP"), 1)
		w.Keep(r.PeerID(), true)
		w.Observe(membership.Channel, beat(r, 1, 5))
		time.Sleep(time.Hour)
		living, known := w.Count()
		require.Zero(t, living)
		require.Equal(t, 1, known)
		w.Keep(r.PeerID(), false)
		time.Sleep(time.Second)
		require.Empty(t, w.Members())
		w.stop()
	})
}

func TestTrackerFindPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := track(t, nil)
		id := identity(t, "Org1MSP")
		h := beat(record(t, "alice", id, 1), 1, 5)
		h.Addrs = []ma.Multiaddr{addr(t, "/ip4/10.0.0.1/tcp/1")}
		w.Observe(membership.Channel, h)
		w.Observe(membership.Channel, beat(record(t, "bob", id, 1), 1, 6))
		time.Sleep(time.Minute)
		info, err := w.FindPeer(t.Context(), peerID(t, "alice"))
		require.NoError(t, err)
		require.Equal(t, peer.AddrInfo{ID: peerID(t, "alice"), Addrs: h.Addrs}, info, "the dead as well")
		for _, name := range []string{"bob", "carol"} {
			_, err = w.FindPeer(t.Context(), peerID(t, name))
			require.ErrorIs(t, err, routing.ErrNotFound)
		}
		w.stop()
	})
}

func TestTrackerQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := track(t, nil)
		id := identity(t, "Org1MSP")
		for name, height := range map[string]uint64{"alice": 5, "bob": 6} {
			require.Equal(t, membership.Joined, w.Observe(membership.Channel, beat(record(t, name, id, 1), 1, height)).Kind)
		}
		top, height := w.Highest()
		require.Equal(t, peerID(t, "bob"), top)
		require.EqualValues(t, 6, height)
		require.Len(t, w.AtOrAbove(6), 1)
		require.Len(t, w.Alive(), 2)
		m, ok := w.Find(peerID(t, "alice"))
		require.True(t, ok)
		require.EqualValues(t, 5, m.State.Height)
		w.stop()
	})
}

// One identity on two hosts is a warning, once a minute at most.
func TestTrackerWarnsOfTwins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := track(t, nil)
		id := identity(t, "Org1MSP")
		time.Sleep(time.Hour)
		for i := range 8 {
			w.Observe(membership.Channel, beat(record(t, fmt.Sprint("alice", i), id, 1), 1, 5))
			time.Sleep(time.Second)
		}
		w.stop()
		require.Equal(t, 1, strings.Count(w.log.String(), "duplicate host key"), w.log)
	})
}

// Queries and callbacks do not wait for each other.
func TestTrackerCallbackMayAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w *tracked
		asked := 0
		w = track(t, func(c *membership.TrackerConfig) {
			c.OnChange = func(changes []membership.Change) {
				asked = len(w.Members())
				w.Keep(changes[0].Member.ID, true)
			}
		})
		w.Observe(membership.Channel, beat(record(t, "alice", identity(t, "Org1MSP"), 1), 1, 5))
		time.Sleep(time.Second)
		w.stop()
		require.Equal(t, 1, asked)
	})
}

func TestTrackerConfig(t *testing.T) {
	_, err := membership.NewTracker(membership.TrackerConfig{View: membership.ViewConfig{Limits: membership.Limits{Members: -1}}})
	require.ErrorContains(t, err, "must be positive")
}

func TestMetrics(t *testing.T) {
	none, err := membership.NewMetrics(nil)
	require.NoError(t, err)
	require.Nil(t, none)
	registry := prometheus.NewRegistry()
	first, err := membership.NewMetrics(registry)
	require.NoError(t, err)
	second, err := membership.NewMetrics(registry)
	require.NoError(t, err)
	require.Equal(t, first, second, "two nodes may share a registry")
	require.Zero(t, testutil.CollectAndCount(registry))

	taken := prometheus.NewRegistry()
	taken.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "gossip_membership_total_peers_known", Help: "another"}))
	_, err = membership.NewMetrics(taken)
	require.ErrorContains(t, err, "gossip_membership_total_peers_known")
}
