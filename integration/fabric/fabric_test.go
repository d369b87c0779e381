// SPDX-License-Identifier: Apache-2.0

//go:build unix

package fabric_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
)

// A stock peer whose only source is a weft node commits what a stock orderer orders: transactions and configurations that come through
// the weft node's Broadcast, and those that its own gateway sends. It comes back when the weft node does.
func TestStockPeerDrawsFromWeft(t *testing.T) {
	for name, c := range map[string]struct {
		consensus string
		ready     string // what each orderer says
		mutual    bool
	}{
		"TLS":        {consensus: devnet.Raft, ready: "Start accepting requests as Raft leader"},
		"mutual TLS": {consensus: devnet.Raft, ready: "Start accepting requests as Raft leader", mutual: true},
		"BFT":        {consensus: devnet.BFT, ready: "Starting view with number 0"},
	} {
		t.Run(name, func(t *testing.T) { drawFromWeft(t, c.consensus, c.ready, c.mutual) })
	}
}

func drawFromWeft(t *testing.T, consensus, ready string, mutual bool) {
	n := newNetwork(t, consensus)
	if mutual {
		n.certificate = orderertest.ClientTLS(t, n.org)
	}
	n.startOrderers(t, ready)
	stop := n.startWeft(t)
	n.startPeer(t)
	n.joinPeer(t)

	n.broadcast(t, n.transaction(t))
	n.peerHas(t, 1)
	require.Regexp(t, "orderer-address="+n.one(func(o *ordererNode) string { return o.weft }), n.peer.log.String(), "the peer draws from weft")

	n.broadcast(t, n.configUpdate(t, devnet.SetAnchors("Org1", "127.0.0.1:7051")))
	n.peerHas(t, 2)
	n.submitThroughGateway(t, n.transaction(t))
	n.peerHas(t, 3)

	stop()
	n.startWeft(t)
	n.broadcast(t, n.transaction(t))
	n.peerHas(t, 4)
	require.NotContains(t, n.peer.log.String(), "could not be verified")
	require.NotRegexp(t, "orderer-address="+n.one(func(o *ordererNode) string { return o.address }), n.peer.log.String(), "it has no other source")
	t.Logf("the peer's view of its source:\n%s", n.peer.log.lines("peer.blocksprovider"))
}

// patience is for one step of the test.
const patience = 60 * time.Second
