// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/simtest"
)

var lan = simtest.Link{Latency: 2 * time.Millisecond, BitsPerSecond: 1e9}

func TestTwoPeersShareAChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 1, 2)
		n.peers[0].start(weft.AsLeader())
		n.peers[1].start()
		time.Sleep(3 * time.Second)
		n.order(10, 64<<10, 100*time.Millisecond)
		n.requireAll(time.Second, n.peers...)
	})
}
