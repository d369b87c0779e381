// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/weft-p2p/weft/internal/block"
)

// InForce returns the configuration that judges block number: that of the last configuration block before it, which the
// block right before it names unless it is one itself. So the chain of configurations is in the chain of blocks, and
// verification can begin at any number that is not above its end. read returns a block that was verified; it is called once
// or twice, with numbers below number. The error is ErrNumber for block 0, which no configuration judges, and for what read
// has mixed up; ErrMetadata, ErrNotConfig or ErrConfig for blocks that cannot be followed; or read's.
func InForce(number uint64, read func(number uint64) (*common.Block, error)) (*Bundle, error) {
	if number == 0 {
		return nil, fmt.Errorf("%w: no configuration judges block 0, it is trusted as it is", ErrNumber)
	}
	config, err := readAt(number-1, read)
	if err != nil {
		return nil, err
	}
	if !block.IsConfig(config) {
		if config, err = namedBy(config, read); err != nil {
			return nil, err
		}
	}
	return FromBlock(config)
}

// namedBy returns the configuration block that a block names.
func namedBy(b *common.Block, read func(uint64) (*common.Block, error)) (*common.Block, error) {
	own := b.GetHeader().GetNumber()
	at, err := block.LastConfig(b)
	if err != nil {
		return nil, fmt.Errorf("last configuration of block %d: %w", own, err)
	}
	if at >= own {
		return nil, fmt.Errorf("%w: block %d is no configuration block and names %d as the last one", ErrMetadata, own, at)
	}
	return readAt(at, read)
}

func readAt(number uint64, read func(uint64) (*common.Block, error)) (*common.Block, error) {
	b, err := read(number)
	if err != nil {
		return nil, fmt.Errorf("read block %d: %w", number, err)
	}
	if got := b.GetHeader().GetNumber(); b.GetHeader() == nil || got != number {
		return nil, fmt.Errorf("%w: block %d where %d was read", ErrNumber, got, number)
	}
	return b, nil
}
