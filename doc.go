// SPDX-License-Identifier: Apache-2.0

// Package weft carries the blocks of Hyperledger Fabric channels from their ordering service to every peer over libp2p.
//
// A [Node] stands on a libp2p host and a pubsub that the caller owns, with the caller's MSP identity. It joins channels by
// their genesis block; each [Channel] keeps a complete, verified copy of its chain and says who else is there:
//
//	guard := weft.NewGuard()
//	ps, err := pubsub.NewGossipSub(ctx, h, guard.PubSubOptions()...)
//	...
//	node, err := weft.New(h, ps, identity, weft.WithGuard(guard), weft.WithDataDir(dir))
//	...
//	channel, err := node.Join(ctx, genesis)
//	...
//	for block, err := range channel.Blocks(ctx, 0) {
//
// What flows where is in channel.go, one line an arrow. The packages below do one thing each and do not know each other:
// msp says who is who, host where we stand, topics what is said, membership who is here, leader who pulls, and blocksync
// what is missing. This package wires them together and has no other logic.
//
// A node leaves nothing of its own on host or pubsub after [Node.Close], and closes neither. There are no globals: a hundred
// nodes run in one process.
package weft
