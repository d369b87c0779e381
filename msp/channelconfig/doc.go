// SPDX-License-Identifier: Apache-2.0

// Package channelconfig reads a Hyperledger Fabric channel configuration and judges blocks by it.
//
// A Bundle is one configuration block, parsed and compiled: the organizations with their MSPs and anchor peers, the
// ordering service with its endpoints and consenters, the policies. It is immutable; any number of goroutines may ask
// it who an identity is, whether signatures satisfy a policy and whether the orderers signed a header. The next
// configuration is a new Bundle.
//
// A Verifier is a position on a chain: the number and previous hash that the next block must have, and the Bundle in
// force there. It follows the rules of a Fabric peer's deliver client to the letter, in its order of checks, so that
// weft and the peers beside it never disagree about a block. It belongs to one goroutine.
//
//	configuration block --FromBlock--> Bundle --NewVerifier--> Verifier --Verify, Advance--> Verifier at the next number
//	                                     |                         \--a configuration block--> its Bundle is in force
//	                                     \--Member, Evaluate, Endpoints, VerifySignatures: everybody else
//
// A genesis block carries no signatures: whoever hands one to FromBlock vouches for it. Both types accept hostile input:
// sizes, counts and depths are capped, and nothing panics.
package channelconfig
