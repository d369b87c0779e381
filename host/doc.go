// SPDX-License-Identifier: Apache-2.0

// Package host is where a node stands: its libp2p host and pubsub, who is at the other end of each connection, and which
// connections are kept.
//
// It guarantees that
//
//   - nothing passes on a weft topic of a guarded pubsub to or from a peer that the owner did not allow ([Guard]), while
//     topics that are not weft's are never touched;
//   - the member record that is known for a peer was shown over a connection to that very peer, and was judged under the
//     configuration in force ([Auth]);
//   - members that are wanted are connected again after a loss, without storms ([Keeper]).
//
// The parts are independent: the root package uses all of them on a host that [New] built, and Guard, Auth and Keeper on a
// host that somebody else built. New owns its host and pubsub; the others own nothing of the host that they are given and
// leave nothing on it when their Run has returned.
//
//	Keeper --dial, then--> Auth.Ensure ---/weft/auth/1.0.0---> the peer's Auth
//	  ^                      |   Judge: verified, unknown, refused (given by the root)
//	  | Want, Anchors        v   OnChange
//	root <-------------------+
//	  | allow, speaks
//	  v
//	Guard ==peer filter, RPC inspector==> gossipsub
package host
