// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/internal/relaysim"
	"github.com/weft-p2p/weft/internal/stream"
)

// TestFramesAtTheLimits: what is as big as it may be is read, and not what is one bigger.
func TestFramesAtTheLimits(t *testing.T) {
	targets := func(n int) *relay.Frame {
		return &relay.Frame{Kind: relay.Piece, Count: 1, Targets: make([]relay.Short, n)}
	}
	words := func(n int) *relay.Frame {
		return &relay.Frame{Kind: relay.Want, Missing: make(relay.Bitmap, n), Have: make(relay.Bitmap, 1)}
	}
	data := func(n int) *relay.Frame { return &relay.Frame{Kind: relay.Piece, Count: 1, Data: make([]byte, n)} }
	whole := func(n int) *relay.Frame {
		f := &relay.Frame{Kind: relay.Announce, Data: make([]byte, n)}
		f.Data = f.Data[:n-(len(f.Append(nil))-n)]
		return f
	}
	for name, c := range map[string]struct {
		frame func(n int) *relay.Frame
		most  int
	}{
		"maxTargetsOnWire": {targets, relay.MaxTargetsOnWire}, "maxWords": {words, relay.MaxWords}, "MaxData": {data, relay.MaxData},
		"MaxFrame": {whole, relay.MaxFrame},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := relay.Decode(c.frame(c.most).Append(nil))
			require.NoError(t, err)
			require.True(t, bytes.Equal(c.frame(c.most).Append(nil), got.Append(nil)))
			_, err = relay.Decode(c.frame(c.most + 1).Append(nil))
			require.ErrorIs(t, err, relay.ErrFrame)
		})
	}
}

// told is what somebody wrote on a stream.
func told(frames ...[]byte) *bytes.Buffer {
	var b bytes.Buffer
	for _, f := range frames {
		b.Write(append(binary.AppendUvarint(nil, uint64(len(f))), f...))
	}
	return &b
}

func named(name string) []byte { return append([]byte{0}, name...) }

func numbered(n int, f *relay.Frame) []byte {
	return f.Append(binary.AppendUvarint([]byte{1}, uint64(n)))
}

// TestStreamsAtTheLimits: names, and frames on a stream, at their limits and one past them.
func TestStreamsAtTheLimits(t *testing.T) {
	unready := &relay.Frame{Kind: relay.Unready}
	scopes := func(n int) (all [][]byte) {
		for i := range n {
			all = append(all, named(fmt.Sprint(i)))
		}
		return append(all, numbered(n-1, unready))
	}
	long := func(kind relay.Kind, n int) []byte {
		f := &relay.Frame{Kind: kind, Count: 1, Mode: relay.Final}
		f.Data = make([]byte, relay.MaxData)
		if kind == relay.Announce {
			f.Data = make([]byte, n)
		} else {
			f.Targets = make([]relay.Short, relay.MaxTargetsOnWire)
			f.Proof = make([]byte, 255*16)
		}
		return numbered(0, f)
	}
	for name, c := range map[string]struct {
		said [][]byte
		want error
	}{
		"maxScope":              {[][]byte{named(strings.Repeat("c", relay.MaxScope)), numbered(0, unready)}, nil},
		"maxScope, one past":    {[][]byte{named(strings.Repeat("c", relay.MaxScope+1)), numbered(0, unready)}, relay.ErrFrame},
		"maxScopes":             {scopes(relay.MaxScopes), nil},
		"maxScopes, one past":   {scopes(relay.MaxScopes + 1), relay.ErrFrame},
		"no such channel":       {[][]byte{named("c"), numbered(1, unready)}, relay.ErrFrame},
		"the longest piece":     {[][]byte{named("c"), long(relay.Piece, 0)}, nil},
		"a long announcement":   {[][]byte{named("c"), long(relay.Announce, relay.LongFrame)}, nil},
		"MaxFrame, one past":    {[][]byte{named("c"), make([]byte, relay.MaxFrame+1)}, stream.ErrTooLarge},
		"nonsense, and so long": {[][]byte{named("c"), make([]byte, relay.MaxFrame)}, relay.ErrFrame},
	} {
		t.Run(name, func(t *testing.T) {
			_, f, err := relay.Frames(told(c.said...), relay.MaxFrame)()
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.want == nil, f != nil && err == nil)
		})
	}
	require.LessOrEqual(t, len(long(relay.Piece, 0)), relay.LongFrame, "no honest piece is above")
}

// TestLongFramesReserveTheirMemory: as long as they are handled, and no longer.
func TestLongFramesReserveTheirMemory(t *testing.T) {
	long := numbered(0, &relay.Frame{Kind: relay.Announce, Data: make([]byte, 500_000)})
	next := relay.Frames(told(named("c"), long, long, long), len(long))
	for range 3 {
		_, _, err := next()
		require.NoError(t, err)
	}
	_, _, err := relay.Frames(told(named("c"), long), len(long)-1)()
	require.ErrorIs(t, err, io.ErrShortBuffer)
	short := numbered(0, &relay.Frame{Kind: relay.Announce, Data: make([]byte, relay.LongFrame-100)})
	_, _, err = relay.Frames(told(named("c"), short), 0)()
	require.NoError(t, err, "what the stream has reserved is enough")
}

// TestWorkAtTheLimit: a burst is free, one byte past it has to wait, for as long as the rate says.
func TestWorkAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates := relay.Rates()
		one := fair.Owner{Org: "A", Identity: "one"}
		wait, _ := rates.Reserve(one, relay.WorkBurst)
		require.Zero(t, wait)
		wait, own := rates.Reserve(one, relay.Work/1000)
		require.InDelta(t, float64(time.Millisecond), float64(wait), 1000)
		require.True(t, own)

		rates = relay.Rates()
		for i := range relay.OrgWorkBurst / relay.WorkBurst {
			wait, _ = rates.Reserve(fair.Owner{Org: "A", Identity: fmt.Sprint(i)}, relay.WorkBurst)
			require.Zero(t, wait)
		}
		wait, own = rates.Reserve(fair.Owner{Org: "A", Identity: "last"}, relay.WorkBurst)
		require.Positive(t, wait)
		require.False(t, own, "its organization's is nobody's fault")
		wait, _ = rates.Reserve(fair.Owner{Org: "B", Identity: "one"}, relay.WorkBurst)
		require.Zero(t, wait, "others are not held up")
	})
	f := &relay.Frame{Kind: relay.Piece, Data: make([]byte, 4096)}
	require.Equal(t, 1024+f.Size(), relay.Cost(f))
	require.Equal(t, 262_144+f.Size(), relay.Cost(&relay.Frame{Kind: relay.Announce, Data: f.Data}))
	require.Equal(t, 65_536+28, relay.Cost(&relay.Frame{Kind: relay.Want}))
}

// TestHonestWorkIsFarFromTheLimit: bursts of blocks cost no identity a quarter of what it may cause, and no organization.
func TestHonestWorkIsFarFromTheLimit(t *testing.T) {
	for _, c := range []struct{ peers, size, rate int }{{2, 1e6, 20}, {50, 1e6, 20}, {12, 16 << 10, 100}, {50, 16 << 10, 100}} {
		t.Run(fmt.Sprintf("%d blocks/s of %d bytes to %d peers", c.rate, c.size, c.peers), func(t *testing.T) {
			each, all := map[[2]int]int{}, map[int]int{} // by receiver
			s := relaysim.New(relaysim.Config{
				Peers: c.peers, Seed: 1, Up: func(int) float64 { return 1e9 }, Judge: 2 * time.Millisecond,
				Send: func(from, to int, f *relay.Frame) []*relay.Frame {
					each[[2]int{from, to}] += relay.Cost(f)
					all[to] += relay.Cost(f)
					return []*relay.Frame{f}
				},
			})
			blocks := c.rate / 5
			for k := range blocks {
				s.Publish(0, s.Block(uint64(k+1), c.size))
				s.Run(time.Second / time.Duration(c.rate))
			}
			s.Run(time.Second)
			worst, org := 0, 0
			for _, n := range each {
				worst = max(worst, 5*n)
			}
			for _, n := range all {
				org = max(org, 5*n)
			}
			t.Logf("%.1f MB/s of one identity, %.1f MB/s of all", float64(worst)/1e6, float64(org)/1e6)
			require.Less(t, worst, relay.Work/4)
			require.Less(t, org, relay.OrgWork/4)
		})
	}
}
