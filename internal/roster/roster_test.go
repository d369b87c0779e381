// SPDX-License-Identifier: Apache-2.0

package roster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/test"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/roster"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// entries are so many, each heard of a minute after the next.
func entries(t testing.TB, n int) (all []roster.Entry) {
	for i := range n {
		id, err := test.RandPeerID()
		require.NoError(t, err)
		e := roster.Entry{Seen: now.Add(-time.Duration(i) * time.Minute), AddrInfo: peer.AddrInfo{ID: id}}
		for _, text := range []string{"/dns4/peer%d.org1.example.com/tcp/7061", "/dns4/peer%d.org1.example.com/udp/7061/quic-v1"} {
			e.Addrs = append(e.Addrs, ma.StringCast(fmt.Sprintf(text, i)))
		}
		all = append(all, e)
	}
	return all
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "members")
	none, err := roster.Read(path, now)
	require.NoError(t, err)
	require.Empty(t, none)
	for _, n := range []int{roster.MaxEntries, 1, 0} {
		want := entries(t, n)
		require.NoError(t, roster.Write(path, want))
		got, err := roster.Read(path, now)
		require.NoError(t, err)
		require.True(t, roster.Same(want, got))
		require.Equal(t, roster.Dials(want), roster.Dials(got))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
		require.LessOrEqual(t, info.Size(), int64(roster.MaxFile))
		files, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		require.Len(t, files, 1)
	}
	require.Error(t, roster.Write(filepath.Join(path, "no directory"), nil))
}

func TestDamagedFilesGiveNothing(t *testing.T) {
	good := func() string {
		path := filepath.Join(t.TempDir(), "members")
		require.NoError(t, roster.Write(path, entries(t, 2)))
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(data)
	}
	text := good()
	first, second, _ := strings.Cut(text, "\n")
	words := strings.Fields(first)
	for name, content := range map[string]string{
		"garbage":             "\x00\x01\x02",
		"an empty line":       text + "\n\n",
		"half a line":         text[:len(text)-20],
		"no time":             strings.Join(words[1:], " "),
		"no address":          words[0],
		"no peer ID":          words[0] + " /ip4/1.2.3.4/tcp/7061",
		"no host":             words[0] + " /p2p/" + words[1][strings.LastIndex(words[1], "/")+1:],
		"two peers in a line": first + " " + strings.Fields(second)[1],
		"two, with two words": words[0] + " " + words[1] + " " + strings.Fields(second)[1],
		"too many addresses":  first + " " + words[1],
		"too long":            strings.Repeat(text, 1+roster.MaxFile/len(text)),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "members")
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			got, err := roster.Read(path, now)
			require.ErrorIs(t, err, roster.ErrFile)
			require.ErrorContains(t, err, path)
			require.Empty(t, got)
		})
	}
	_, err := roster.Read(t.TempDir(), now)
	require.Error(t, err, "a directory")
}

func TestMerge(t *testing.T) {
	all := entries(t, 40)
	require.Len(t, roster.Merge(all, nil, now), roster.MaxEntries)
	moved := all[3]
	moved.Addrs = moved.Addrs[1:]
	got := roster.Merge([]roster.Entry{moved}, all[:5], now.Add(time.Hour))
	require.Len(t, got, 5)
	require.Equal(t, moved, got[0], "who is there now comes first, where it is now")
	require.Equal(t, all[0].ID, got[1].ID)
	require.Len(t, roster.Merge(nil, all[:5], now.Add(roster.MaxAge-150*time.Second)), 3, "the others are too old")
	many := all[0]
	many.Addrs = append(many.Addrs, all[1].Addrs...)
	require.Len(t, roster.Merge([]roster.Entry{many}, nil, now)[0].Addrs, roster.MaxAddrs)
	nowhere := roster.Entry{Seen: now, AddrInfo: peer.AddrInfo{ID: all[0].ID}}
	require.Empty(t, roster.Merge([]roster.Entry{nowhere}, nil, now))
}

func TestNoTimeIsLaterThanNow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "members")
	require.NoError(t, roster.Write(path, entries(t, 1)))
	got, err := roster.Read(path, now.Add(-24*time.Hour))
	require.NoError(t, err)
	require.Equal(t, now.Add(-24*time.Hour), got[0].Seen)
}

// FuzzDecode: whatever a file holds, what is read is bounded, and reads the same when it is written again.
func FuzzDecode(f *testing.F) {
	path := filepath.Join(f.TempDir(), "members")
	require.NoError(f, roster.Write(path, entries(f, 3)))
	good, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte("2026-01-02T03:04:05Z /ip4/1.2.3.4/tcp/7061\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := roster.Decode(data, now)
		if err != nil {
			require.Empty(t, got)
			return
		}
		require.LessOrEqual(t, len(roster.Dials(got)), roster.MaxEntries*roster.MaxAddrs)
		for _, e := range got {
			require.False(t, e.Seen.After(now))
		}
	})
}
