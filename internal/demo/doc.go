// SPDX-License-Identifier: Apache-2.0

// Package demo runs a whole network in one process: an ordering service, organizations, their peers, and a peer that joins
// late. Nothing in it is simulated: MSP folders and a genesis block in Fabric's formats, a gRPC server with TLS, libp2p
// hosts on loopback sockets, ledgers on disk, all made in a temporary folder and removed again.
//
//	client --Broadcast--> ordering service --Deliver--> one leader an organization --weft--> every peer
//	                           | signed at                                                      | committed at
//	                           +----------------------> measures -> screen, summary <-----------+
//
// The command "weft demo" calls it.
package demo
