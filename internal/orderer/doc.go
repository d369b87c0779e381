// SPDX-License-Identifier: Apache-2.0

// Package orderer is a development ordering service: one process, no consensus. It speaks Fabric's orderer.AtomicBroadcast over TLS, so
// that a peer, an SDK or package leader/deliver cannot tell it from a real orderer of a Raft or BFT channel, and it makes blocks that Fabric's
// verifier accepts. On a BFT channel the process holds the keys of all consenters, and a quorum of them signs each block. Tests, the demo network and measurements use it. It must never order anything of value: whoever stops this process
// stops the channel, and whoever holds its key writes the chain.
//
//	Broadcast --Writers, size--> Order --> one goroutine: batch -> block -> sign -> ledger.Append
//	                                                                                    | wakes
//	Deliver <--Readers, before each block under a new configuration-- ledger.Block <----+
//
// What is like Fabric: the checks of both services and their statuses, the batching rules, the five metadata entries in Raft form, access
// that is judged again after each config block, mutual TLS with the TLS roots of the channel's organizations. What is not: configuration
// updates come from the program ([Orderer.Configure]), there is one channel, and there is no maintenance mode.
//
// A slow Deliver client holds up nobody else: each stream reads the ledger by itself.
package orderer
