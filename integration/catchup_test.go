// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/simtest"
)

// TestLateJoinerWhileBlocksFlow: new blocks have the uplinks first, and leave most of a fast one to a late joiner, be it that of
// the leader, whom every block leaves.
func TestLateJoinerWhileBlocksFlow(t *testing.T) {
	const size, every, old = 64 * kB, 100 * ms, 60
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, simtest.Link{Latency: time.Millisecond, BitsPerSecond: 1e9}, 1, 6)
		n.peers[0].start(weft.AsLeader())
		for _, p := range n.peers[1:] {
			p.start()
		}
		time.Sleep(meeting)
		n.order(old, size, 20*ms)
		n.order(10, size, every)
		joiner := n.add(n.orgs[0], 6)
		joiner.start()
		done := make(chan struct{})
		go func() {
			defer close(done)
			n.order(10, size, every)
		}()
		took := n.await(10*time.Second, joiner)
		t.Logf("%d blocks caught up %s after the start", old+10, took)
		require.Less(t, took, 500*ms)
		<-done
		n.requireAll(5*time.Second, n.peers...)
	})
}
