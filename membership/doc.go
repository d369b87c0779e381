// SPDX-License-Identifier: Apache-2.0

// Package membership knows who is here: it turns signed heartbeats into a live
// view of each organization and each channel.
//
//	              Beacon (one per topic) --sealed heartbeat--> topic
//	                                                             |
//	topic of my organization --+                                 v
//	                           +-- Unseal, DecodeHeartbeat, judged by the caller
//	topic of the channel ------+                                 |
//	                                                             v
//	connection lost, identity revoked -------------------> Tracker (mutex, one timer)
//	                                                             |      \
//	                                                           View      +-- Run --> OnChange, log, metric
//	                                                      (pure, no clock)
//	dialer, relay, blocksync, election <--- copies -------------+
//
// A node runs one Tracker for its organization and one for each channel. The
// tracker of a channel observes two topics: the channel's own, where members
// that are visible to other organizations appear, and the one of its own
// organization, whose heartbeats list all channels of their sender, so that the
// hidden members of its organization are found too. Both sightings of one
// member are one Member with the addresses of both.
//
// Guarantees:
//   - a member whose heartbeats arrive in time never dies of silence, and a
//     single connection that breaks is believed at most once against them;
//   - nobody comes back by an old or repeated heartbeat, and the same set of
//     heartbeats gives the same view in whatever order it arrives;
//   - memory is bounded by Limits, by identity and organization, whatever is sent;
//   - time alone wakes a tracker only when there is something to expire.
//
// Heights and leader flags are claims. Who relies on one must be able to do
// without it.
package membership
