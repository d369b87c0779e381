// SPDX-License-Identifier: Apache-2.0

// Package stream is the ritual that every weft stream protocol goes through, written once.
//
// A server takes a stream through these steps, in this order, before its handler sees a byte:
//
//	streams in all, of its organization and identity -> barred? -> authorise -> rate of identity and organization
//	-> service scope -> memory -> deadline -> capped reads
//
// and ends it with Close when the handler returned nil and with a reset that carries a reason when it did not. A client
// opens with the same scope, memory and deadlines. Messages are protobuf, each with its length as an unsigned varint before
// it (the libp2p convention, protodelim in Go, lpStream in JavaScript); no message is read into memory beyond the
// protocol's MaxMessage.
//
// Refusals carry the reason: StreamResourceLimitExceeded, StreamGated, StreamRateLimited, StreamShutdown; an error of the
// handler is StreamProtocolViolation.
//
// What a peer may take is charged to its identity and organization ([Accounts], package fair), whatever host keys it uses.
// A stream that ends by the peer's fault is counted ([Reason]), and who commits too many is barred for a while.
//
// Protocols are used by host, blocksync and topics; each declares one [Protocol] value and a handler.
package stream
