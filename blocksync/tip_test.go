// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync"
)

func TestTip(t *testing.T) {
	tip := blocksync.NewTip()
	require.Nil(t, tip.HashAt(5))
	for number := uint64(5); number < 10; number++ {
		tip.Extend(number, []byte{byte(number)})
	}
	require.Equal(t, []byte{7}, tip.HashAt(7))
	tip.Advance(7)
	require.Nil(t, tip.HashAt(6))
	require.Equal(t, []byte{7}, tip.HashAt(7))
	tip.Advance(3)
	require.Equal(t, []byte{9}, tip.HashAt(9))
	tip.Reset()
	require.Nil(t, tip.HashAt(9))
	tip.Extend(9, []byte{1})
	require.Equal(t, []byte{1}, tip.HashAt(9))
}
