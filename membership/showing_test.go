// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/membership"
)

// shown is how long the record is shown when somebody may not know it.
const shown = 25 * time.Second

// requireShown requires that every heartbeat from a time on until shown later carries the whole record, and that there are
// some; and that the first one after that does not.
func (w *tower) requireShown(from time.Duration) {
	w.t.Helper()
	n := 0
	for i, at := range w.times {
		if at < from {
			continue
		}
		if at >= from+shown {
			require.False(w.t, w.whole[i], "at %s", at)
			break
		}
		require.True(w.t, w.whole[i], "at %s", at)
		n++
	}
	require.GreaterOrEqual(w.t, n, 5)
}

func TestBeaconShowsItsRecord(t *testing.T) {
	tests := map[string]struct {
		event func(*tower) // what happens after a minute
		at    time.Duration
	}{
		"start":    {func(*tower) {}, 0},
		"newcomer": {func(w *tower) { w.Poke(); synctest.Wait() }, time.Minute},
		"renewal":  {func(w *tower) { w.set(func() { w.record = record(w.t, "alice", w.signer, 2) }) }, time.Minute},
		"nobody heard us": {func(w *tower) {
			w.set(func() { w.fail = errors.New("no topic") })
			time.Sleep(time.Minute)
			w.set(func() { w.fail = nil })
		}, 2 * time.Minute},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTower(t, new(membership.Sequence), nil)
				stop := w.run()
				time.Sleep(time.Minute - time.Millisecond)
				synctest.Wait()
				require.False(t, w.whole[len(w.whole)-1])
				time.Sleep(time.Millisecond)
				test.event(w)
				time.Sleep(time.Minute)
				stop()
				first := 0
				for w.times[first] < test.at {
					first++
				}
				w.requireShown(w.times[first])
			})
		})
	}
}

// Whoever has missed everything hears the record with the first heartbeat after two minutes without.
func TestBeaconShowsItsRecordNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t, new(membership.Sequence), nil)
		stop := w.run()
		time.Sleep(time.Hour)
		stop()
		last, whole := time.Duration(0), 0
		for i, is := range w.whole {
			if !is {
				require.Less(t, w.times[i]-last, 2*time.Minute)
				continue
			}
			if w.times[i] > shown {
				require.InDelta(t, 2*time.Minute, w.times[i]-last, float64(6*time.Second))
				whole++
			}
			last = w.times[i]
		}
		require.InDelta(t, 30, whole, 3)
	})
}

func TestBeaconLeavesWithItsRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTower(t, new(membership.Sequence), nil)
		stop := w.run()
		time.Sleep(time.Minute)
		require.NoError(t, w.Leave(context.Background()))
		stop()
		require.True(t, w.whole[len(w.whole)-1])
	})
}
