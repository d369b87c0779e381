// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/ledger"
)

// Read returns as many blocks as it may and as fit, never one that is damaged, and those of one segment.
func TestReadSeveralBlocks(t *testing.T) {
	c := newChain(1)
	c.add(10, 100)
	frame := int(frameSize(c.blocks[1]))
	for name, tc := range map[string]struct {
		first, last uint64
		room        int
		segment     int64
		damaged     uint64 // block with a changed byte, if not 0
		want        int    // blocks
	}{
		"all":                  {first: 1, last: 9, room: 11 * frame, want: 9},
		"up to the last":       {first: 2, last: 5, room: 11 * frame, want: 4},
		"up to the height":     {first: 2, last: math.MaxUint64, room: 11 * frame, want: 8},
		"as many as fit":       {first: 2, last: 9, room: 3 * frame, want: 3},
		"not quite":            {first: 2, last: 9, room: 3*frame - 1, want: 2},
		"no room":              {first: 2, last: 9, want: 1},
		"last before first":    {first: 2, last: 1, room: 11 * frame, want: 1},
		"up to a segment's":    {first: 1, last: 9, room: 11 * frame, segment: int64(4 * frame), want: 3},
		"a damaged one behind": {first: 2, last: 9, room: 11 * frame, damaged: 5, want: 3},
		"the first is damaged": {first: 5, last: 9, room: 11 * frame, damaged: 5},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, ledger.Options{SegmentSize: tc.segment})
			for _, b := range c.blocks {
				require.NoError(t, l.Append(b))
			}
			if tc.damaged > 0 {
				flip(t, segments(t, dir)[0], sizeOf(c.blocks[:tc.damaged])+60)
			}
			got, err := l.Read(tc.first, tc.last, make([]byte, 0, tc.room))
			if tc.want == 0 {
				require.ErrorIs(t, err, ledger.ErrCorrupt)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, len(got))
			for i, raw := range got {
				require.Equal(t, marshal(c.blocks[tc.first+uint64(i)]), raw)
			}
		})
	}
}
