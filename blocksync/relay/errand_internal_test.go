// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestErrand: what is due is done, once at a time, and again if it became due meanwhile; not before begin, after an error or after end.
func TestErrand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e errand
		pass := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		var done, going int
		var err, heard error
		do := func() error {
			going++
			require.Equal(t, 1, going, "one at a time")
			time.Sleep(time.Second)
			going--
			done++
			return err
		}
		e.wake()
		e.wake()
		synctest.Wait()
		require.Zero(t, done, "it has not begun")

		e.begin(do, func(err error) { heard = err })
		pass(time.Hour)
		require.Equal(t, 1, done, "it was due")

		e.wake()
		synctest.Wait()
		e.wake() // while it is done
		e.wake()
		pass(time.Hour)
		require.Equal(t, 3, done)

		e.wake()
		synctest.Wait()
		e.end()
		require.Equal(t, 4, done, "the end waits")
		e.wake()
		pass(time.Hour)
		require.Equal(t, 4, done, "it has ended")

		e.begin(do, func(err error) { heard = err })
		pass(time.Hour)
		require.Equal(t, 5, done, "it was due before it began again")
		err = errors.New("broken")
		e.wake()
		e.wake()
		pass(time.Hour)
		e.wake()
		pass(time.Hour)
		require.Equal(t, 6, done, "not after an error")
		require.Equal(t, err, heard)
		e.end()
	})
}
