// SPDX-License-Identifier: Apache-2.0

package orderer

import (
	"context"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/leader/deliver/server"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// writer is the end of the chain and what comes next. The ordering goroutine owns it.
type writer struct {
	last       *common.BlockHeader
	lastConfig uint64
	batch      batch
	timeout    *time.Timer // runs while the batch is not empty
}

// command asks the ordering goroutine to cut the batch, and then to order a configuration unless that is nil.
type command struct {
	config *common.Config
	update *common.Envelope // that leads to config
	done   chan<- result    // has room for one
}

type result struct {
	height uint64
	err    error
}

// do runs a command in the ordering goroutine and returns the height after it.
func (o *Orderer) do(ctx context.Context, c command) (uint64, error) {
	done := make(chan result, 1)
	c.done = done
	select {
	case o.commands <- c:
	case <-o.stopped:
		return 0, ErrStopped
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	r := <-done // a command that was taken is answered
	return r.height, r.err
}

// order is the ordering goroutine. It ends with ctx, or with an error when a block cannot be made or kept.
func (o *Orderer) order(ctx context.Context) error {
	defer close(o.stopped)
	o.head.timeout = time.NewTimer(time.Hour)
	defer o.head.timeout.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case tx := <-o.transactions:
			err = o.take(tx)
		case <-o.head.timeout.C:
			err = o.cut()
		case c := <-o.commands:
			err = o.obey(c)
		}
		if err != nil {
			return err
		}
	}
}

// take adds a transaction to the batch and writes the blocks that it completes.
func (o *Orderer) take(tx transaction) error {
	bundle := o.Bundle()
	if tx.bundle != bundle { // admitted under a configuration that has been replaced
		if err := o.authorizeWriter(tx.message, bundle); err != nil {
			o.cfg.Log.Debug("dropped a transaction that the new configuration does not admit", "err", err)
			return nil
		}
	}
	complete := o.head.batch.add(tx, o.limits(bundle))
	for _, data := range complete {
		if err := o.write(data, nil); err != nil {
			return err
		}
	}
	if len(o.head.batch.pending) == 0 {
		o.head.timeout.Stop()
	} else if len(complete) > 0 || len(o.head.batch.pending) == 1 {
		o.head.timeout.Reset(o.timeout(bundle))
	}
	return nil
}

// cut writes what is in the batch, if anything.
func (o *Orderer) cut() error {
	o.head.timeout.Stop()
	if data := o.head.batch.cut(); data != nil {
		return o.write(data, nil)
	}
	return nil
}

// obey answers a command. Only what would stop the chain is returned; a bad configuration is the caller's error.
func (o *Orderer) obey(c command) error {
	err := o.cut()
	var refused error
	if err == nil && c.config != nil {
		refused, err = o.reconfigure(c.config, c.update)
	}
	c.done <- result{height: o.Height(), err: firstError(refused, err)}
	return err
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// reconfigure writes a config block. The first error says that the configuration is no good.
func (o *Orderer) reconfigure(config *common.Config, update *common.Envelope) (refused, err error) {
	config = proto.CloneOf(config)
	config.Sequence = o.Bundle().Sequence() + 1
	bundle, err := channelconfig.New(o.channel, o.head.last.GetNumber()+1, config)
	if err != nil {
		return fmt.Errorf("new configuration: %w", err), nil
	}
	raw, err := configTransaction(o.channel, config, update, o.signer.Load())
	if err != nil {
		return nil, err
	}
	if err := o.write([][]byte{raw}, bundle); err != nil {
		return nil, err
	}
	o.cfg.Log.Info("the channel has a new configuration", "number", bundle.Number(), "sequence", bundle.Sequence())
	o.warnUnlessAccepted(bundle)
	return nil, nil
}

// write makes, signs and keeps the next block, and shows it to the clients. A bundle is that of a config block.
func (o *Orderer) write(data [][]byte, bundle *channelconfig.Bundle) error {
	b := newBlock(o.head.last, data)
	number := b.GetHeader().GetNumber()
	if bundle != nil {
		o.head.lastConfig = number
	}
	if err := o.seal(b); err != nil {
		return err
	}
	at := time.Now()
	if err := o.cfg.Ledger.Append(b); err != nil {
		return fmt.Errorf("keep block %d: %w", number, err)
	}
	o.head.last = b.GetHeader()
	o.cfg.OnBlock(number, at, proto.Size(b))
	o.update(func(s *server.State) {
		s.Height = number + 1
		if bundle != nil {
			s.Bundle = bundle
		}
	})
	o.cfg.Log.Debug("ordered a block", "number", number, "transactions", len(data))
	return nil
}

func (o *Orderer) limits(bundle *channelconfig.Bundle) *orderer.BatchSize {
	if o.cfg.BatchSize != nil {
		return o.cfg.BatchSize
	}
	return bundle.BatchSize()
}

func (o *Orderer) timeout(bundle *channelconfig.Bundle) time.Duration {
	if o.cfg.BatchTimeout > 0 {
		return o.cfg.BatchTimeout
	}
	return bundle.BatchTimeout()
}
