// SPDX-License-Identifier: Apache-2.0

// Package leader decides who pulls a channel's blocks from the ordering service, and pulls them.
//
// A [Puller] is the part of a leader: it asks a [Source] for one stream of blocks after another, for ever, hands each block to Submit and
// waits as long as Submit waits. So a slow ledger slows the stream down, and no block is lost between orderer and ledger. When a stream
// breaks it starts again at the height the ledger has reached, after a back-off that grows by a fifth with every failure and starts anew
// with every block that was taken.
//
//	Source.Pull(from Height()) --block--> Submit (back-pressure) --> caller's ordering buffer
//	      ^                                  |
//	      +---- back-off with jitter <-------+  the stream broke, or Submit refused the block
//
// A Source is left for another place when a [Judge] refuses what it brought, or when it does not bring what is known to exist for longer
// than the censorship timeout.
//
// With dynamic leaders, an [Elector] runs the Puller while its [Election] says that this node leads its organization in the channel. The
// election knows no messages: it is a function of what membership knows of the others and the time.
//
//	view, height, state of the source --Input--> Election --Decision--> Elector --+-- Lead: Puller.Run, while we lead
//	       |                            (pure, no clock)       ^                  +-- Changed --> heartbeat, which carries the claim
//	       +------------------- Wake: something changed -------+
//
// Elector guarantees that at most one Lead runs at a time and none after Run. That an organization has one leader is what it tends to, within
// a second mostly, and never a condition for blocks to be right.
//
// The package knows no network. Package leader/deliver has the Source that speaks Fabric's Deliver protocol.
package leader
