// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
)

func TestNextIncarnation(t *testing.T) {
	now := uint64(epoch.UnixNano())
	require.Equal(t, now, msp.NextIncarnation(0, epoch))
	require.Equal(t, now, msp.NextIncarnation(now-1, epoch))
	require.Equal(t, now+1, msp.NextIncarnation(now, epoch))
	require.Equal(t, now+9, msp.NextIncarnation(now+8, epoch))
	require.Equal(t, uint64(6), msp.NextIncarnation(5, time.Unix(-1, 0)), "a clock before 1970")
}

func next(t *testing.T, i *msp.Incarnations, now time.Time) uint64 {
	t.Helper()
	n, err := i.Next(now)
	require.NoError(t, err)
	return n
}

func TestIncarnationsSurviveRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "incarnation")
	i, err := msp.OpenIncarnations(path)
	require.NoError(t, err)
	first := next(t, i, epoch)
	require.Equal(t, uint64(epoch.UnixNano()), first)
	require.Equal(t, first+1, next(t, i, epoch))

	i, err = msp.OpenIncarnations(path)
	require.NoError(t, err)
	require.Equal(t, first+2, next(t, i, epoch.Add(-time.Hour)), "the clock was set back")

	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1, "no temporary files are left")
}

func TestSeenRefutesALostFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "incarnation")
	i, err := msp.OpenIncarnations(path)
	require.NoError(t, err)
	seen := uint64(epoch.Add(time.Hour).UnixNano())
	require.True(t, i.Seen(seen))
	require.False(t, i.Seen(seen))
	require.False(t, i.Seen(seen-1))
	require.Equal(t, seen+1, next(t, i, epoch))
}

func TestIncarnationFiles(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"garbage": "garbage", "empty": "", "negative": "-1", "too high": strconv.FormatUint(math.MaxUint64, 10),
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := msp.OpenIncarnations(path)
		require.ErrorContains(t, err, path, name)
		require.ErrorContains(t, err, "delete it")
	}
	_, err := msp.OpenIncarnations(dir)
	require.ErrorContains(t, err, dir)

	path := filepath.Join(dir, "last")
	require.NoError(t, os.WriteFile(path, []byte(strconv.FormatInt(math.MaxInt64, 10)), 0o600))
	i, err := msp.OpenIncarnations(path)
	require.NoError(t, err)
	_, err = i.Next(epoch)
	require.ErrorContains(t, err, "no incarnation is left")

	i, err = msp.OpenIncarnations(filepath.Join(dir, "missing", "incarnation"))
	require.NoError(t, err)
	_, err = i.Next(epoch)
	require.ErrorContains(t, err, "write incarnation")
}

func TestIncarnationsAreUnique(t *testing.T) {
	i, err := msp.OpenIncarnations(filepath.Join(t.TempDir(), "incarnation"))
	require.NoError(t, err)
	var mu sync.Mutex
	var wg sync.WaitGroup
	got := make(map[uint64]bool)
	for range 8 {
		wg.Go(func() {
			n, err := i.Next(epoch)
			mu.Lock()
			defer mu.Unlock()
			got[n] = err == nil
		})
	}
	wg.Wait()
	require.Len(t, got, 8)
	require.NotContains(t, got, uint64(0))
}
