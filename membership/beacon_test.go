// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
)

// tower is a beacon and what it has published, by virtual time.
type tower struct {
	*membership.Beacon
	t       *testing.T
	start   time.Time
	signer  *msp.SigningIdentity
	records *msp.Records
	log     *bytes.Buffer

	mu     sync.Mutex
	record *msp.Record
	fail   error
	beats  []*membership.Heartbeat
	times  []time.Duration
	whole  []bool // the beat carried the whole record
}

// newTower runs a beacon until the test's bubble ends; change may adjust it.
func newTower(t *testing.T, sequence *membership.Sequence, change func(*membership.BeaconConfig)) *tower {
	w := &tower{t: t, start: time.Now(), signer: identity(t, "Org1MSP"), records: msp.NewRecords(4), log: new(bytes.Buffer)}
	w.record = record(t, "alice", w.signer, 1)
	c := membership.BeaconConfig{
		Scope: scope, Sequence: sequence, Publish: w.publish,
		Compose: func() ([]ma.Multiaddr, []membership.ChannelState) {
			return []ma.Multiaddr{addr(t, "/ip4/10.0.0.1/tcp/7061")}, []membership.ChannelState{state(5)}
		},
		Record: func() *msp.Record { w.mu.Lock(); defer w.mu.Unlock(); return w.record },
		Signer: func() *msp.SigningIdentity { return w.signer },
		Rand:   rand.New(rand.NewPCG(1, 2)),
		Log:    slog.New(slog.NewTextHandler(w.log, nil)),
	}
	if change != nil {
		change(&c)
	}
	b, err := membership.NewBeacon(c)
	require.NoError(t, err)
	w.Beacon = b
	return w
}

// run starts the beacon and returns what stops it and waits.
func (w *tower) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { require.NoError(w.t, w.Run(ctx)) })
	return func() { cancel(); running.Wait() }
}

func (w *tower) publish(_ context.Context, data []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return w.fail
	}
	sealed, err := w.records.Unseal(membership.Purpose, scope, data, time.Now())
	require.NoError(w.t, err)
	h, err := membership.DecodeHeartbeat(sealed)
	require.NoError(w.t, err)
	_, err = msp.NewRecords(1).Unseal(membership.Purpose, scope, data, time.Now())
	if err != nil {
		require.ErrorIs(w.t, err, msp.ErrUnknownRecord)
	}
	w.beats, w.times, w.whole = append(w.beats, h), append(w.times, time.Since(w.start)), append(w.whole, err == nil)
	return nil
}

func (w *tower) set(change func()) { w.mu.Lock(); defer w.mu.Unlock(); change() }

func TestBeaconInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t, new(membership.Sequence), nil)
		stop := w.run()
		time.Sleep(10 * time.Minute)
		stop()
		require.InDelta(t, 120, len(w.beats), 8)
		require.Zero(t, w.times[0], "the first one at once")
		spread := map[time.Duration]bool{}
		for i := 1; i < len(w.beats); i++ {
			pause := w.times[i] - w.times[i-1]
			require.GreaterOrEqual(t, pause, 4500*time.Millisecond)
			require.LessOrEqual(t, pause, 5500*time.Millisecond)
			spread[pause] = true
			require.EqualValues(t, i+1, w.beats[i].Sequence)
		}
		require.Greater(t, len(spread), 50, "jitter")
		require.Equal(t, []membership.ChannelState{state(5)}, w.beats[0].Channels)
		require.Len(t, w.beats[0].Addrs, 1)
		require.False(t, w.beats[0].Leaving)
	})
}

func TestBeaconPoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t, new(membership.Sequence), nil)
		stop := w.run()
		time.Sleep(time.Second)
		for range 10 {
			w.Poke()
		}
		synctest.Wait()
		require.Len(t, w.beats, 2, "a quiet beacon answers at once, ten pokes with one")
		for range 10 {
			w.Poke()
			synctest.Wait()
		}
		require.Len(t, w.beats, 2)
		time.Sleep(399 * time.Millisecond)
		synctest.Wait()
		require.Len(t, w.beats, 2)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.Len(t, w.beats, 3, "the second answer comes after twice the gap")
		stop()
	})
}

// A crowd that joins pokes all the time: the gaps grow up to the interval, and
// are short again when all is quiet.
func TestBeaconStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t, new(membership.Sequence), nil)
		stop := w.run()
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			w.Poke()
		}
		synctest.Wait()
		for i := 1; i < len(w.times); i++ {
			require.GreaterOrEqual(t, w.times[i]-w.times[i-1], 200*time.Millisecond)
		}
		require.Less(t, len(w.beats), 20, "a minute of pokes")
		time.Sleep(20 * time.Second)
		synctest.Wait()
		n := len(w.beats)
		time.Sleep(time.Until(w.start.Add(w.times[n-1] + 200*time.Millisecond)))
		w.Poke()
		synctest.Wait()
		require.Len(t, w.beats, n+1)
		stop()
	})
}

func TestBeaconLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t, new(membership.Sequence), nil)
		stop := w.run()
		time.Sleep(time.Second)
		require.NoError(t, w.Leave(context.Background()))
		require.NoError(t, w.Leave(context.Background()), "once is enough")
		w.Poke()
		time.Sleep(time.Minute)
		stop()
		require.Len(t, w.beats, 2)
		last := w.beats[1]
		require.True(t, last.Leaving)
		require.EqualValues(t, 2, last.Sequence)
		require.Empty(t, last.Channels)
	})
}

// Whatever Run is doing when Leave is called, nothing follows the goodbye.
func TestNothingFollowsTheGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w *tower
		composing := func() ([]ma.Multiaddr, []membership.ChannelState) {
			time.Sleep(time.Second)
			return nil, nil
		}
		w = newTower(t, new(membership.Sequence), func(c *membership.BeaconConfig) { c.Compose = composing })
		stop := w.run()
		time.Sleep(500 * time.Millisecond) // Run is in Compose
		require.NoError(t, w.Leave(context.Background()))
		w.set(func() { w.record = record(t, "alice", w.signer, 2) })
		time.Sleep(time.Minute)
		stop()
		v := newView(t, membership.ViewConfig{Scope: scope})
		for _, h := range w.beats {
			v.Observe(time.Now(), membership.Channel, h)
		}
		require.Len(t, w.beats, 2, "the goodbye, and the one that it overtook")
		require.Empty(t, v.Members())
	})
}

// All beacons of a node count together, and go on counting over a new record.
func TestBeaconSequence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sequence := new(membership.Sequence)
		a, b := newTower(t, sequence, nil), newTower(t, sequence, nil)
		stopA, stopB := a.run(), b.run()
		time.Sleep(12 * time.Second)
		a.set(func() { a.record = record(t, "alice", a.signer, 2) })
		time.Sleep(12 * time.Second)
		stopA()
		stopB()
		seen := map[uint64]bool{}
		for _, h := range append(a.beats, b.beats...) {
			require.False(t, seen[h.Sequence])
			seen[h.Sequence] = true
		}
		var last uint64
		for _, h := range a.beats {
			require.Greater(t, h.Sequence, last)
			last = h.Sequence
		}
		require.EqualValues(t, 2, a.beats[len(a.beats)-1].Record.Incarnation())
	})
}

func TestBeaconFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t, new(membership.Sequence), nil)
		w.fail = errors.New("no topic")
		stop := w.run()
		time.Sleep(21 * time.Second)
		w.set(func() { w.fail = nil; w.record = nil })
		time.Sleep(11 * time.Second)
		synctest.Wait()
		require.Empty(t, w.beats)
		w.set(func() { w.record = record(t, "alice", w.signer, 1) })
		time.Sleep(11 * time.Second)
		stop()
		require.NotEmpty(t, w.beats)
		require.Equal(t, 1, bytes.Count(w.log.Bytes(), []byte("heartbeat not published")), "one line, not one a heartbeat")
		require.Equal(t, 1, bytes.Count(w.log.Bytes(), []byte("published again")))
	})
}

// A Publish that hangs ends with the interval and with Run.
func TestBeaconHangingPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		w := newTower(t, new(membership.Sequence), func(c *membership.BeaconConfig) {
			c.Publish = func(ctx context.Context, _ []byte) error { calls.Add(1); <-ctx.Done(); return ctx.Err() }
		})
		stop := w.run()
		time.Sleep(time.Minute)
		require.GreaterOrEqual(t, calls.Load(), int32(5))
		stop()
	})
}

func TestBeaconConfig(t *testing.T) {
	_, err := membership.NewBeacon(membership.BeaconConfig{})
	require.ErrorContains(t, err, "a beacon needs scope")
	w := newTower(t, new(membership.Sequence), nil)
	require.NoError(t, w.Leave(context.Background()), "without Run")
	require.Len(t, w.beats, 1)
	_, err = membership.NewBeacon(membership.BeaconConfig{
		Scope: scope, Sequence: new(membership.Sequence), Publish: w.publish, Interval: time.Millisecond,
		Compose: func() ([]ma.Multiaddr, []membership.ChannelState) { return nil, nil },
		Record:  func() *msp.Record { return nil }, Signer: func() *msp.SigningIdentity { return nil },
	})
	require.ErrorContains(t, err, "interval 1ms is below 400ms")
}

// What others decide upon goes out at once, however long the gaps have become.
func TestBeaconUrge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t, new(membership.Sequence), nil)
		stop := w.run()
		for range 150 { // a crowd joins
			time.Sleep(100 * time.Millisecond)
			w.Poke()
		}
		synctest.Wait()
		n := len(w.beats)
		require.Less(t, n, 10)
		for range 3 {
			w.Urge()
			synctest.Wait()
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		require.GreaterOrEqual(t, len(w.beats), n+1)
		require.LessOrEqual(t, len(w.beats), n+2, "urges within the least gap are one")
		stop()
	})
}
