// SPDX-License-Identifier: Apache-2.0

// Package traffic gives a development ordering service something to order: transactions of random bytes, a block at a steady rate. It is a
// client inside the process; "weft orderer --blocks" calls it, so that a network that was started by hand has something to show.
package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer"
)

const (
	// MaxRate is the most blocks a second that make sense against one process that syncs each block to disk.
	MaxRate = 1000
	// MinBlockSize is about what ten transactions with empty arguments have, in bytes.
	MinBlockSize = 20 << 10

	// transactions of a block, unless the channel allows fewer.
	transactions = 10
	// overhead of one transaction beside its argument, in bytes: identity, signatures, headers.
	overhead = 1800
)

// ErrConfig: the wanted traffic does not fit the channel.
var ErrConfig = errors.New("traffic: bad configuration")

// Config says what is ordered. Every field is required.
type Config struct {
	Orderer   *orderer.Orderer
	Client    devnet.Signer // a writer of the channel
	Blocks    uint64        // until the chain has so many blocks behind the genesis block, those of other clients included
	Rate      float64       // blocks a second, at most MaxRate
	BlockSize int           // bytes of a block's transactions, about; MinBlockSize up to what the channel prefers at most
	Random    io.Reader
}

// Run waits for the first Deliver stream, then orders until the chain is as long as wanted, and returns. It goes on where a chain stands
// that was reopened. It also ends with ctx or with the ordering service, which is no error here. Errors: ErrConfig, or why a transaction
// was refused.
func Run(ctx context.Context, c Config) error {
	if err := c.validate(); err != nil {
		return err
	}
	select {
	case <-c.Orderer.Followed():
	case <-ctx.Done():
		return nil
	}
	err := c.order(ctx)
	if ctx.Err() != nil || errors.Is(err, orderer.ErrStopped) {
		return nil
	}
	return err
}

func (c Config) validate() error {
	preferred := int(c.Orderer.Bundle().BatchSize().GetPreferredMaxBytes())
	switch {
	case !(c.Rate > 0 && c.Rate <= MaxRate): // not a number included
		return fmt.Errorf("%w: %g blocks a second, want more than 0 and at most %d", ErrConfig, c.Rate, MaxRate)
	case c.BlockSize < MinBlockSize || c.BlockSize > preferred:
		return fmt.Errorf("%w: blocks of %d bytes, want at least %d and at most %d, which channel %s prefers", ErrConfig, c.BlockSize,
			MinBlockSize, preferred, c.Orderer.Channel())
	}
	return nil
}

func (c Config) order(ctx context.Context) error {
	tick := time.NewTicker(time.Duration(float64(time.Second) / c.Rate))
	defer tick.Stop()
	for c.Orderer.Height() <= c.Blocks {
		if err := c.block(ctx); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// block orders the transactions of one block.
func (c Config) block(ctx context.Context) error {
	count := max(1, min(transactions, int(c.Orderer.Bundle().BatchSize().GetMaxMessageCount())))
	size := c.BlockSize/count - overhead
	for range count {
		tx, err := c.transaction(size)
		if err != nil {
			return err
		}
		if err := c.Orderer.Order(ctx, tx); err != nil {
			return fmt.Errorf("order a random transaction: %w", err)
		}
	}
	_, err := c.Orderer.Cut(ctx)
	return err
}

func (c Config) transaction(size int) (*common.Envelope, error) {
	return devnet.Transaction(c.Orderer.Channel(), c.Client, size, c.Random, time.Now())
}
