// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"

	"github.com/stretchr/testify/require"
	"github.com/weft-p2p/weft/internal/block"
)

// requireChain requires what must hold of every peer at any time, whatever happened to it: its blocks are the ordering
// service's, each exactly once, in order, with five metadata entries of which the unsigned ones are empty; nothing it
// waited for was skipped; it has not failed.
func (n *testNet) requireChain(p *testPeer, height uint64) {
	t := n.t
	t.Helper()
	require.NoError(t, p.channel.Err(), "peer %d", p.number)
	require.GreaterOrEqual(t, p.channel.Height(), height, "height of peer %d", p.number)
	var next uint64
	for b, err := range p.channel.Blocks(context.Background(), 0) {
		require.NoError(t, err)
		require.Equal(t, next, b.Header.Number, "peer %d", p.number)
		ordered := n.ordered(next)
		require.Equal(t, block.HeaderHash(ordered.Header), block.HeaderHash(b.Header), "block %d of peer %d", next, p.number)
		require.Equal(t, block.DataHash(ordered.Data), block.DataHash(b.Data), "data of block %d of peer %d", next, p.number)
		require.Len(t, b.Metadata.Metadata, 5)
		require.Empty(t, b.Metadata.Metadata[2])
		if next++; next == height {
			break
		}
	}
	require.Equal(t, height, next, "peer %d", p.number)
}
