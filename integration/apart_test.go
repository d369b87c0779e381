// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"
)

// apart is a connection gater that knows only who is on a list of peers.
type apart struct{ knows map[peer.ID]bool }

func (a apart) InterceptPeerDial(id peer.ID) bool {
	near, peer := a.knows[id]
	return near || !peer
}

func (a apart) InterceptSecured(_ network.Direction, id peer.ID, _ network.ConnMultiaddrs) bool {
	return a.InterceptPeerDial(id)
}

func (apart) InterceptAddrDial(peer.ID, ma.Multiaddr) bool                    { return true }
func (apart) InterceptAccept(network.ConnMultiaddrs) bool                     { return true }
func (apart) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// star keeps peers from connecting to others than hubs; hubs connect to everybody.
func (n *testNet) star(peers []*testPeer, hubs ...*testPeer) {
	hub := map[*testPeer]bool{}
	for _, p := range hubs {
		hub[p] = true
	}
	for _, p := range peers {
		p.apart = &apart{knows: map[peer.ID]bool{}}
		for _, other := range peers {
			id, err := peer.IDFromPrivateKey(other.key)
			require.NoError(n.t, err)
			p.apart.knows[id] = hub[p] || hub[other]
		}
	}
}
