// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/internal/block"
)

// TestTally: what comes from our own source, by range with and without an announcement, and by ways of which the sync is told.
func TestTally(t *testing.T) {
	bubble(t, func(t *testing.T, n *net) {
		n.Grow(t, 4, 100)
		registry := prometheus.NewRegistry()
		full := n.node(t, 5)
		nd := n.node(t, 1, func(c *blocksync.Config) { c.Registerer = registry })
		connect(t, nd, full)
		require.Zero(t, nd.Tally().Copies())

		require.NoError(t, nd.Submit(t.Context(), n.clone(1)))
		n.requireHeight(t, nd, 2, time.Second)
		nd.Extend(2, block.HeaderHash(n.Blocks[2].Header))
		nd.Have(full.ID(), 3)
		n.requireHeight(t, nd, 3, time.Second)
		require.Empty(t, nd.Tally().Repaired, "an announcement had told of block 2")
		nd.Have(full.ID(), 5)
		n.requireHeight(t, nd, 5, time.Second)

		size := func(number int) uint64 { return uint64(proto.Size(n.Blocks[number])) }
		all := size(1) + size(2) + size(3) + size(4)
		got := nd.Tally()
		require.Equal(t, blocksync.Tally{
			Received:  map[blocksync.Way]uint64{blocksync.FromSource: size(1), blocksync.ByRange: all - size(1)},
			Committed: all, Repaired: map[blocksync.Repair]uint64{blocksync.Unannounced: 2},
		}, got)
		require.InDelta(t, 1, got.Copies(), 0)

		nd.Received(blocksync.ByAnnouncement, int(all))
		nd.Repaired("overdue", 3)
		require.InDelta(t, 2, nd.Tally().Copies(), 0)
		require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP weft_repairs_total Blocks that had to be asked for, by why: unannounced, stalled or crowded.
# TYPE weft_repairs_total counter
weft_repairs_total{channel="`+n.Channel+`",reason="overdue"} 3
weft_repairs_total{channel="`+n.Channel+`",reason="unannounced"} 2
`), "weft_repairs_total"))
	})
}
