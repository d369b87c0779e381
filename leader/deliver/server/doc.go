// SPDX-License-Identifier: Apache-2.0

// Package server is the other side of package deliver: it serves Fabric's Deliver to peers, SDKs and weft nodes that cannot tell it from
// an orderer (orderer.AtomicBroadcast) or from a peer (protos.Deliver), and passes their Broadcast on.
//
// A [Server] reads chains through the small interface [Chain]. It checks each signed request (time, TLS binding, certificate, the
// channel's Readers), judges the reader again under each new configuration and when its certificate ends, and sends blocks in order, each
// with the number that is due and a header. What it cannot send in time ends the stream, so that the client turns elsewhere.
//
//	listener -> connection limit -> TLS -> one stream: receive request -> check -> again and again: await -> judge -> read -> writer
//	                                                                                      Look, Read of Chain ^
//
// Each stream has its own writer, and at most three big blocks in memory, or six reads of several small ones. A client that does not read
// is disconnected; it holds up nobody else. All limits are in [Limits]. docs/spec/deliver.md has the statuses.
//
// A [Relay] decides what is passed on to real orderers: no node that serves blocks is an open relay.
package server
