// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/host"
	p2p "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// errCut is what a peer hears of the ordering service while it is cut off.
var errCut = errors.New("demo: cut off from the network")

// gate is the network cable of one peer: shut, nothing new gets through, to peers or to the ordering service.
type gate struct{ shut atomic.Bool }

// cut pulls the cable: no connection survives.
func (g *gate) cut(h host.Host) {
	g.shut.Store(true)
	for _, id := range h.Network().Peers() {
		_ = h.Network().ClosePeer(id) // a connection that cannot be closed is gone already
	}
}

// mend puts the cable back.
func (g *gate) mend() { g.shut.Store(false) }

// dial dials an orderer.
func (g *gate) dial(ctx context.Context, addr string) (net.Conn, error) {
	if g.shut.Load() {
		return nil, errCut
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
}

// The methods below make a gate a connection gater of libp2p.

func (g *gate) InterceptPeerDial(peer.ID) bool { return !g.shut.Load() }

func (g *gate) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return !g.shut.Load() }

func (g *gate) InterceptAccept(p2p.ConnMultiaddrs) bool { return !g.shut.Load() }

func (g *gate) InterceptSecured(p2p.Direction, peer.ID, p2p.ConnMultiaddrs) bool {
	return !g.shut.Load()
}

func (g *gate) InterceptUpgraded(p2p.Conn) (bool, control.DisconnectReason) {
	return !g.shut.Load(), 0
}
