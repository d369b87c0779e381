// SPDX-License-Identifier: Apache-2.0

package server

import (
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// atomicBroadcast is the service of orderers.
type atomicBroadcast struct {
	orderer.UnimplementedAtomicBroadcastServer
	server *Server
}

// Deliver implements orderer.AtomicBroadcastServer.
func (a *atomicBroadcast) Deliver(st orderer.AtomicBroadcast_DeliverServer) error {
	defer a.server.cfg.Opened()()
	return a.server.deliver(st, fromOrderer)
}

// Broadcast implements orderer.AtomicBroadcastServer.
func (a *atomicBroadcast) Broadcast(st orderer.AtomicBroadcast_BroadcastServer) error {
	return a.server.broadcast(st)
}

// events is the service of peers.
type events struct {
	peer.UnimplementedDeliverServer
	server *Server
}

// Deliver implements peer.DeliverServer.
func (e *events) Deliver(st peer.Deliver_DeliverServer) error { return e.server.deliver(st, fromPeer) }

// DeliverFiltered implements peer.DeliverServer.
func (e *events) DeliverFiltered(st peer.Deliver_DeliverFilteredServer) error {
	return e.server.deliver(st, fromPeerFiltered)
}

// DeliverWithPrivateData implements peer.DeliverServer: weft has none.
func (e *events) DeliverWithPrivateData(peer.Deliver_DeliverWithPrivateDataServer) error {
	return status.Error(codes.Unimplemented, "weft: this node has no private data; ask a peer")
}
