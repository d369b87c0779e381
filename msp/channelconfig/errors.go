// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"errors"

	"github.com/weft-p2p/weft/internal/block"
)

// Why a block is not accepted as the next one, in the order in which it is asked.
var (
	// ErrNumber says that the block does not have the next number.
	ErrNumber = errors.New("channelconfig: wrong block number")
	// ErrPreviousHash says that the block does not continue our chain.
	ErrPreviousHash = errors.New("channelconfig: previous hash does not match")
	// ErrMetadata says that metadata entries are missing or cannot be decoded, or are over a limit.
	ErrMetadata = block.ErrMetadata
	// ErrMalformed says that the block has no header, or data that is not a list of well-formed transactions.
	ErrMalformed = block.ErrMalformed
	// ErrDataHash says that the data is not the data that the header was made for.
	ErrDataHash = errors.New("channelconfig: data hash does not match")
	// ErrSignatures says that the orderers' signatures do not satisfy the channel's block validation policy.
	ErrSignatures = errors.New("channelconfig: orderer signatures do not suffice")
	// ErrConfig says that a configuration is invalid, or is not the one that follows ours.
	ErrConfig = errors.New("channelconfig: invalid configuration")
	// ErrNotConfig says that a block is no configuration block.
	ErrNotConfig = errors.New("channelconfig: not a configuration block")
)

// Why an identity may not act as a peer of the channel.
var (
	// ErrUnknownOrg says that this configuration does not know the identity's organization or its CA. A newer
	// configuration may.
	ErrUnknownOrg = errors.New("channelconfig: organization or CA is not in the channel configuration")
	// ErrRefused says that the configuration knows the organization and refuses the identity.
	ErrRefused = errors.New("channelconfig: refused as a peer of the channel")
)
