// SPDX-License-Identifier: Apache-2.0

// Package blocksync finds out which blocks are missing, gets them, and commits every block in order.
//
//	ordering service --Submit (waits for room)--\
//	announcement ------Offer (never waits)-------> [Buffer] --next number--> writer: verify -> append -> height
//	range of a peer ---Offer---------------------/              |                                         |
//	     ^                                                      | a block does not verify: its sender     |
//	     |                                                      v is asked no more for a while            v
//	  client <-- [Planner] <-- Have(peer, height): an announcement, a heartbeat, a gap <----- committed --/
//
// There is one way in and one writer: whatever brought a block, it is verified by the same verifier at its turn and appended
// by the same goroutine. What does not depend on the blocks before is found out ahead of the turn, on all cores. The [Buffer] holds candidates that nobody has vouched for yet; the [Planner] decides what to ask
// whom; both are pure. Catch-up is started by whatever shows that somebody is ahead, never by a timer. The header [Tip] says
// which headers above our height have been verified.
//
// Beside it, [Server] answers range requests for all channels of a host (/weft/sync/1.0.0).
package blocksync
