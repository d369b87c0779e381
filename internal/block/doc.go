// SPDX-License-Identifier: Apache-2.0

// Package block holds the formulas that Hyperledger Fabric applies to a block: how a header is hashed, how data is
// hashed, what makes a transaction well formed, where a block names its channel and its configuration.
//
// Every function is pure, accepts hostile input without a panic and copies no block data: hashing streams over the
// transactions and the checks walk their wire bytes in place. What these functions return for a block is what Fabric's
// own code returns for it; signatures and policies are judged elsewhere (msp/channelconfig).
package block
