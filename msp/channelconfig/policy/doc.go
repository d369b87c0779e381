// SPDX-License-Identifier: Apache-2.0

// Package policy evaluates the policies of a Hyperledger Fabric channel configuration exactly as a Fabric peer does.
//
// A Tree is compiled once from the configuration's groups and is immutable; Evaluate may be called from many
// goroutines. It judges identities whose signatures are proven already and that occur once each: finding them in a set
// of signatures is the caller's work (channelconfig.Bundle.Evaluate), because it is the same for every policy.
//
// Two kinds of policy exist. An ImplicitMeta policy counts for how many of the direct child groups the policy of a
// given name holds. A Signature policy is a tree of "N out of" gates over principals; every signer stands for one
// principal at most, taken greedily in the order of the rules and of the signers, without backtracking. Greedy is not
// optimal, but two programs that decide differently about one block are a fork, so it is kept to the letter.
package policy
