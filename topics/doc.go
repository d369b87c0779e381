// SPDX-License-Identifier: Apache-2.0

// Package topics is what peers say to each other: the names of the topics, the messages on them, the judgement of every
// message before it is passed on, and publishing.
//
//	publish --> [Topic] --gossipsub--> validator: [Topic]'s Judge -> Accept: passed on | Ignore | Reject: sender's fault
//	               \--/weft/push/1.0.0--> peers that are not on the topic (no guard on their PubSub), same Judge
//
// A topic delivers hints, never blocks for the ledger: gossipsub drops silently in several places, and what a validator
// ignores is gone for the seen-cache's time. Whatever is lost is repaired by blocksync.
//
// [Judge] is the verdict table for announcements of blocks, a function of the announcement and of what we know of the
// chain; it has no clock and does no I/O.
package topics
