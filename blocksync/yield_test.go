// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/pb"
)

// left is the room that new blocks leave to answers.
func (nd *node) left() float64 {
	if room := nd.room.Load(); room > 0 {
		return float64(room)
	}
	return math.Inf(1)
}

// TestAnswersYield: while new blocks leave a host, its answers together are as fast as there is room, each in its turn; none is
// starved, and they are as fast as ever when the new blocks are through.
func TestAnswersYield(t *testing.T) {
	const blocks, part, each = 20, 16 << 10, 40 * time.Millisecond
	for name, c := range map[string]struct {
		busy         time.Duration
		room         int64 // parts in each
		readers      int
		least, limit time.Duration
	}{
		"nothing new":             {0, 1, 3, 0, 300 * time.Millisecond},
		"new blocks":              {time.Hour, 1, 1, blocks * each, blocks*each + 200*time.Millisecond},
		"new blocks, two readers": {time.Hour, 1, 2, (2*blocks - 2) * each, 2*blocks*each + 200*time.Millisecond},
		"new blocks, a fast link": {time.Hour, 4, 1, blocks * each / 4, blocks*each/4 + 200*time.Millisecond},
		"new blocks for a while":  {10 * each, 1, 2, 10 * each, 10*each + 300*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *net) {
				n.Grow(t, blocks, 1<<10)
				server := n.node(t, blocks+1)
				var readers []*node
				for range c.readers {
					reader := n.node(t, 1)
					connect(t, reader, server)
					readers = append(readers, reader)
				}
				if c.busy > 0 {
					server.room.Store(c.room * part * int64(time.Second/each))
				}
				time.AfterFunc(c.busy, func() { server.room.Store(0) })
				start := time.Now()
				var group sync.WaitGroup
				for _, reader := range readers {
					group.Go(func() {
						_, got, _ := n.ask(t, reader, server, &pb.Request{Scope: scope, From: 1, To: blocks})
						require.Equal(t, span(1, blocks), got)
						require.GreaterOrEqual(t, time.Since(start), c.least)
						require.Less(t, time.Since(start), c.limit)
					})
				}
				group.Wait()
			})
		})
	}
}
