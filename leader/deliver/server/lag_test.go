// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader/deliver/server"
)

func TestLag(t *testing.T) {
	type look struct {
		at               time.Duration
		height, verified uint64
		stuck            string // part of the reason
	}
	const second = time.Second
	for name, looks := range map[string][]look{
		"nothing is known":           {{0, 5, 0, ""}, {9 * second, 5, 0, ""}},
		"everything is here":         {{0, 5, 5, ""}, {9 * second, 5, 5, ""}},
		"one header, and no block":   {{0, 5, 6, ""}, {4 * second, 5, 6, ""}, {5 * second, 5, 6, "block 5 was made 5s ago"}},
		"the block comes late":       {{0, 5, 6, ""}, {6 * second, 5, 6, "block 5"}, {7 * second, 6, 6, ""}},
		"always one behind, briefly": {{0, 5, 6, ""}, {3 * second, 6, 7, ""}, {6 * second, 7, 8, ""}, {9 * second, 8, 9, ""}},
		"moves, and too slowly": {
			{0, 5, 9, ""}, {2 * second, 6, 9, ""}, {4 * second, 7, 9, ""}, {5 * second, 7, 9, "block 8 was made 5s ago"}, {6 * second, 9, 9, ""},
		},
		"each header has its time": {
			{0, 5, 6, ""}, {4 * second, 5, 9, ""}, {5 * second, 6, 9, ""}, {8 * second, 6, 9, ""}, {9 * second, 6, 9, "block 8 was made 5s ago"},
		},
		"the tip is taken back": {{0, 5, 8, ""}, {second, 8, 8, ""}, {9 * second, 8, 8, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			var lag server.Lag
			began := time.Unix(0, 0)
			for _, l := range looks {
				err := lag.Observe(began.Add(l.at), l.height, l.verified)
				if l.stuck == "" {
					require.NoError(t, err, "at %s", l.at)
					continue
				}
				require.ErrorContains(t, err, l.stuck, "at %s", l.at)
			}
		})
	}
}

// Headers reach 256 blocks ahead at most, and so do the marks.
func TestLagIsSmall(t *testing.T) {
	var lag server.Lag
	now := time.Unix(0, 0)
	for height := range uint64(10_000) {
		now = now.Add(time.Millisecond)
		_ = lag.Observe(now, height, height+1+height%256)
		require.LessOrEqual(t, server.MarksOf(&lag), 256)
	}
}
