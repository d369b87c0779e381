// SPDX-License-Identifier: Apache-2.0

// Package deliver is a client of the ordering service's orderer.AtomicBroadcast/Deliver: a source of blocks for package leader.
//
// A [Client] opens one TLS connection and one stream at a time, asks for every block from a number on, for ever, and hands them over in
// order. It takes the endpoints and the TLS roots of each from the channel configuration in force, in random order, and goes to the next
// one after a failure. It checks the numbers and nothing else: blocks prove themselves by the orderers' signatures, which its caller verifies.
//
// A [Forwarder] passes envelopes of others on to the orderers. The other side of both is package server below this one.
//
// On a BFT channel it also reads signed headers at f other endpoints, so that its caller learns of blocks that the one which it pulls from
// withholds: see [Client.Known].
//
// Everything that an orderer sends in place of a block is an error that says what to do about it; see [StatusError]. Nothing is retried
// here: package leader calls Pull again after a back-off.
package deliver
