// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/spectest"
)

var frames = map[string]*relay.Frame{
	"announcement": {Kind: relay.Announce, Ref: relay.Ref{1, 2}, Targets: []relay.Short{7, 1 << 60}, Proof: []byte("crown"), Data: []byte("sealed")},
	"want":         {Kind: relay.Want, Ref: relay.Ref{1}, Missing: relay.Bitmap{5, 0}, Have: relay.Bitmap{2, 1 << 63}},
	"crown wanted": {Kind: relay.Want, Ref: relay.Ref{1}},
	"cancel":       {Kind: relay.Cancel, Ref: relay.Ref{3}, Missing: relay.Bitmap{1}, Targets: []relay.Short{9}},
	"done":         {Kind: relay.Done, Ref: relay.Ref{3}, Missing: relay.Bitmap{0}, Probed: true},
	"tail":         {Kind: relay.Tail, Ref: relay.Ref{4}},
	"unready":      {Kind: relay.Unready, Ref: relay.Ref{4}},
	"piece": {Kind: relay.Piece, Ref: relay.Ref{5}, Mode: relay.Targeted, First: 300, Count: 4, Targets: []relay.Short{1},
		Proof: bytes.Repeat([]byte{6}, 32), Data: []byte("leaves")},
}

func TestFramesSurviveTheWire(t *testing.T) {
	for name, f := range frames {
		t.Run(name, func(t *testing.T) {
			got, err := relay.Decode(f.Append(nil))
			require.NoError(t, err)
			require.Equal(t, f, got)
		})
	}
}

func TestFramesOutsideTheLimits(t *testing.T) {
	for name, raw := range map[string][]byte{
		"empty":              {},
		"unknown kind":       {99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"cut short":          frames["want"].Append(nil)[:20],
		"something after":    append(frames["want"].Append(nil), 1),
		"too many targets":   {byte(relay.Unready), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x81, 0x08},
		"bitmap without end": {byte(relay.Want), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0x01},
		"unknown mode":       (&relay.Frame{Kind: relay.Piece, Mode: relay.Housed + 1, Count: 1}).Append(nil),
		"too much data":      (&relay.Frame{Kind: relay.Piece, Count: 1, Data: make([]byte, relay.MaxData+1)}).Append(nil),
		"too long":           make([]byte, relay.MaxFrame+1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := relay.Decode(raw)
			require.ErrorIs(t, err, relay.ErrFrame)
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, frame := range frames {
		f.Add(frame.Append(nil))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		frame, err := relay.Decode(raw)
		if err != nil {
			return
		}
		again, err := relay.Decode(frame.Append(nil))
		require.NoError(t, err)
		require.Equal(t, frame, again)
	})
}

func TestLimitsAreThoseOfTheSpec(t *testing.T) {
	require.Equal(t, spectest.Values(t, "relay.md", "Limits"), relay.Limits())
}
