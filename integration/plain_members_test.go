// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-p2p/weft"
)

// TestNodeWithoutGuard: a node on a caller's pubsub that has no guard, among nodes that have one, gets every block and
// heartbeat over streams, and its own heartbeats get out.
func TestNodeWithoutGuard(t *testing.T) {
	for _, c := range []struct {
		name  string
		plain []int
	}{{"one", []int{3}}, {"a leader", []int{2}}, {"all", []int{0, 1, 2, 3}}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNet(t, wan, 2, 2)
				for _, number := range c.plain {
					n.peers[number].plain = true
				}
				n.startAll()
				n.order(10, 2<<10, 100*time.Millisecond)
				n.order(10, 40<<10, 100*time.Millisecond)
				n.requireAll(time.Second, n.peers...)
				n.requireView(n.peers...)
			})
		})
	}
}

// TestHiddenPeer: a peer without external addresses gets every block, and only its own organization sees it.
func TestHiddenPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, wan, 2, 2)
		hidden := n.peers[1]
		hidden.options = []weft.Option{weft.WithExternalAddrs()}
		n.startAll()
		n.order(10, 2<<10, 100*time.Millisecond)
		n.order(10, 40<<10, 100*time.Millisecond)
		n.requireAll(time.Second, n.peers...)
		time.Sleep(heartbeat)
		n.requireKnown(n.peers[0], n.peers[1], n.peers[2], n.peers[3])
		n.requireKnown(n.peers[1], n.peers[0], n.peers[2], n.peers[3])
		n.requireKnown(n.peers[2], n.peers[0], n.peers[3])
		n.requireKnown(n.peers[3], n.peers[0], n.peers[2])
	})
}
