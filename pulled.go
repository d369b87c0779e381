// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"context"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// pulled is where the blocks of our own source go, and where its puller hears what has become of them.
type pulled struct{ sync *blocksync.Sync }

var _ leader.Judge = pulled{}

// Submit hands over a block; see [blocksync.Sync.Submit].
func (p pulled) Submit(ctx context.Context, b *common.Block) error {
	return told(p.sync.Submit(ctx, b))
}

// Refused waits until a block turns out bad.
func (p pulled) Refused(ctx context.Context) error { return told(p.sync.Refused(ctx)) }

// Settle waits until all blocks are judged.
func (p pulled) Settle(ctx context.Context) error { return told(p.sync.Settle(ctx)) }

// told says what a leader knows it by.
func told(err error) error {
	switch {
	case errors.Is(err, blocksync.ErrRejected):
		return fmt.Errorf("%w: %w", leader.ErrRefused, err)
	case errors.Is(err, blocksync.ErrStopped):
		return fmt.Errorf("%w: %w", leader.ErrStopped, err)
	default:
		return err
	}
}

// ahead is a verifier of what follows our height.
func (c *Channel) ahead() *channelconfig.Verifier {
	at := c.sync.Position()
	return channelconfig.VerifierAt(at.Bundle, at.Height, at.Head)
}
