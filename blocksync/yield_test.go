// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/pb"
)

// TestAnswersYield: while new blocks leave a host, its answers together go on at a slow pace, each in its turn; none is starved,
// and they are as fast as ever when the new blocks are through.
func TestAnswersYield(t *testing.T) {
	const blocks, each = 20, 40 * time.Millisecond
	for name, c := range map[string]struct {
		busy         time.Duration
		readers      int
		least, limit time.Duration
	}{
		"nothing new":             {0, 3, 0, 300 * time.Millisecond},
		"new blocks":              {time.Hour, 1, blocks * each, blocks*each + 200*time.Millisecond},
		"new blocks, two readers": {time.Hour, 2, (2*blocks - 2) * each, 2*blocks*each + 200*time.Millisecond},
		"new blocks for a while":  {10 * each, 2, 10 * each, 10*each + 300*time.Millisecond},
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
				server.busy.Store(c.busy > 0)
				time.AfterFunc(c.busy, func() { server.busy.Store(false) })
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
