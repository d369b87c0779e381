// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
)

// following parses the configuration in a block and checks that it is the one after ours, as a Fabric peer does when it
// takes a configuration block: it is for this channel, the next in sequence, exactly what its last_update makes of the
// configuration in force, and changes nothing that no update may change.
func (b *Bundle) following(blk *common.Block) (*Bundle, error) {
	next, envelope, err := fromBlock(blk)
	if err != nil {
		return nil, err
	}
	if err := b.checkFollowing(next, envelope); err != nil {
		return nil, fmt.Errorf("%w: block %d: %w", ErrConfig, next.number, err)
	}
	return next, nil
}

func (b *Bundle) checkFollowing(next *Bundle, envelope *common.ConfigEnvelope) error {
	if next.channelID != b.channelID {
		return fmt.Errorf("it configures channel %q, this is %q", next.channelID, b.channelID)
	}
	if want := b.Sequence() + 1; next.Sequence() != want {
		return fmt.Errorf("it has configuration sequence %d, the next is %d", next.Sequence(), want)
	}
	result, err := b.apply(envelope.GetLastUpdate())
	if err != nil {
		return fmt.Errorf("last_update: %w", err)
	}
	if !proto.Equal(result, next.config.GetChannelGroup()) {
		return errors.New("last_update makes another configuration than the one in the block")
	}
	return b.checkTransition(next)
}

// checkTransition looks at what no update may change, whoever has signed it: the consensus type without the capability to
// migrate, and the MSP ID of an organization's group. Fabric also wants endpoints when a channel moves to V3_0; no
// configuration with V3_0 is without.
func (b *Bundle) checkTransition(next *Bundle) error {
	if was, is := b.ConsensusType(), next.ConsensusType(); was != is && !b.orgEndpoints() {
		return fmt.Errorf("the consensus type changes from %.64q to %.64q, which needs channel capability V1_4_2", was, is)
	}
	for path, was := range b.mspIDs {
		if is, stays := next.mspIDs[path]; stays && is != was {
			return fmt.Errorf("the MSP ID of %s changes from %q to %q", path, was, is)
		}
	}
	return nil
}
