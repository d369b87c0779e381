// SPDX-License-Identifier: Apache-2.0

package server

import "github.com/weft-p2p/weft/msp/channelconfig"

// Chain is one channel's verified blocks. Its methods are called by many streams at a time and must not wait for the network.
type Chain interface {
	// Look returns what there is now, and a channel that closes when Height or Bundle changes. While a stream waits it looks once a second.
	Look() (State, <-chan struct{})
	// Read returns marshalled blocks, as orderers sign them: the first, and any number of those behind it, up to last, which is below
	// Height. They lie in buf, which has room for some, or in memory that is not changed any more. Who calls it gives buf away until it needs
	// the blocks no longer.
	Read(first, last uint64, buf []byte) ([][]byte, error)
}

// State is a chain at one moment.
type State struct {
	Height uint64                // number of the next block, at least 1
	Bundle *channelconfig.Bundle // in force for block Height
	// Leaderless: the ordering service works without a leader. Requests that want every answer right (error_response STRICT) are refused.
	Leaderless bool
	// Stuck says why there is no use in waiting for block Height here; nil: there is. Streams get what there is, and end with the reason.
	Stuck error
}
