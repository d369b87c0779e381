// SPDX-License-Identifier: Apache-2.0

package orderer

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/leader/deliver/server"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// Orderer orders one channel. Its methods are safe for concurrent use.
type Orderer struct {
	cfg     Config
	channel string

	signer  atomic.Pointer[msp.SigningIdentity]
	serving atomic.Bool
	streams *streams

	transactions chan transaction // to the ordering goroutine
	commands     chan command     // likewise
	stopped      chan struct{}    // closed when the ordering goroutine has ended

	mu      sync.Mutex    // guards now and changed
	now     server.State  // what clients see of the chain
	changed chan struct{} // closed at every change of now

	head writer // of the ordering goroutine
}

// New opens the chain: it writes the genesis block into an empty ledger, and otherwise goes on behind the last block. Errors: ErrIdentity,
// ErrOtherChain, and those of the ledger and of channelconfig.FromBlock. It starts nothing.
func New(cfg Config) (*Orderer, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	if err := open(cfg.Ledger, cfg.Genesis); err != nil {
		return nil, err
	}
	last, bundle, err := restore(cfg.Ledger)
	if err != nil {
		return nil, err
	}
	if err := accepted(bundle, cfg.Identity, cfg.Consenters); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrIdentity, cfg.Identity.MSPID(), err)
	}
	cfg.Log = cfg.Log.With("channel", bundle.ChannelID())
	o := &Orderer{
		cfg:          cfg,
		channel:      bundle.ChannelID(),
		streams:      newStreams(),
		transactions: make(chan transaction),
		commands:     make(chan command),
		stopped:      make(chan struct{}),
		now:          server.State{Height: last.GetNumber() + 1, Bundle: bundle},
		changed:      make(chan struct{}),
		head:         writer{last: last, lastConfig: bundle.Number()},
	}
	o.signer.Store(cfg.Identity)
	return o, nil
}

// open makes sure that the ledger starts with the genesis block.
func open(ledger Ledger, genesis *common.Block) error {
	if ledger.Height() == 0 {
		return ledger.Append(genesis)
	}
	first, err := read(ledger, 0)
	if err != nil {
		return err
	}
	if !bytes.Equal(block.HeaderHash(first.GetHeader()), block.HeaderHash(genesis.GetHeader())) {
		return ErrOtherChain
	}
	return nil
}

// restore returns the last header of the chain and the configuration in force behind it.
func restore(ledger Ledger) (*common.BlockHeader, *channelconfig.Bundle, error) {
	number := ledger.Height() - 1
	last, err := read(ledger, number)
	if err != nil {
		return nil, nil, err
	}
	index, err := block.LastConfig(last)
	if err != nil {
		return nil, nil, fmt.Errorf("last configuration of block %d: %w", number, err)
	}
	config, err := read(ledger, index)
	if err != nil {
		return nil, nil, err
	}
	bundle, err := channelconfig.FromBlock(config)
	if err != nil {
		return nil, nil, fmt.Errorf("config block %d: %w", index, err)
	}
	return last.GetHeader(), bundle, nil
}

func read(ledger Ledger, number uint64) (*common.Block, error) {
	raw, err := ledger.Bytes(number)
	if err != nil {
		return nil, fmt.Errorf("read block %d: %w", number, err)
	}
	b := &common.Block{}
	if err := proto.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("read block %d: %w", number, err)
	}
	return b, nil
}

// Channel returns the name of the channel.
func (o *Orderer) Channel() string { return o.channel }

// Height returns the number of the next block.
func (o *Orderer) Height() uint64 {
	now, _ := o.look()
	return now.Height
}

// WaitHeight waits until the chain has a height, or ctx ends.
func (o *Orderer) WaitHeight(ctx context.Context, height uint64) error {
	for {
		_, changed := o.look() // before the height, so that no change is missed
		if o.Height() >= height {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Bundle returns the configuration in force for the next block.
func (o *Orderer) Bundle() *channelconfig.Bundle {
	now, _ := o.look()
	return now.Bundle
}

// Streams returns how many Deliver streams are open, and how many were open at once at most.
func (o *Orderer) Streams() (open, most int) { return o.streams.count() }

// Followed is closed when the first Deliver stream has opened.
func (o *Orderer) Followed() <-chan struct{} { return o.streams.first }

// SetIdentity makes another identity sign from the next block on, as after a renewed certificate. An identity that the configuration in
// force does not accept is a warning only: tests want such blocks.
func (o *Orderer) SetIdentity(id *msp.SigningIdentity) {
	o.signer.Store(id)
	o.warnUnlessAccepted(o.Bundle())
}

// Suspend makes the service answer like a Raft channel without a leader, until it is called with false: SERVICE_UNAVAILABLE to Broadcast
// and to Deliver, except for requests that tolerate it. Running streams end with that status.
func (o *Orderer) Suspend(down bool) {
	o.update(func(s *server.State) { s.Leaderless = down })
}

// Order checks a transaction like Broadcast and queues it. It waits while the ordering goroutine is busy, and for Serve to start it. A
// transaction that is not accepted is a *server.Refusal; after the end of Serve the error is ErrStopped.
func (o *Orderer) Order(ctx context.Context, e *common.Envelope) error {
	now, _ := o.look()
	tx, err := o.admit(e, now)
	if err != nil {
		return err
	}
	select {
	case o.transactions <- tx:
		return nil
	case <-o.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Cut makes a block of what is queued without waiting for more, and returns the height after it.
func (o *Orderer) Cut(ctx context.Context) (uint64, error) {
	return o.do(ctx, command{})
}

// Configure orders a config block with a new configuration, which is in force for every block and request behind it, and returns its number.
// What is queued goes into a block before it. The sequence number becomes the next one. A configuration that cannot be parsed changes nothing.
// The update is the CONFIG_UPDATE that leads to the configuration (devnet.UpdateEnvelope); it is not looked at here, but peers refuse the
// block without it.
func (o *Orderer) Configure(ctx context.Context, config *common.Config, update *common.Envelope) (uint64, error) {
	height, err := o.do(ctx, command{config: config, update: update})
	if err != nil {
		return 0, err
	}
	return height - 1, nil
}

// look returns what there is now, and a channel that closes when it is no longer so.
func (o *Orderer) look() (server.State, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now, o.changed
}

func (o *Orderer) update(change func(*server.State)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.now)
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *Orderer) warnUnlessAccepted(bundle *channelconfig.Bundle) {
	id := o.signer.Load()
	if err := accepted(bundle, id, o.cfg.Consenters); err != nil {
		o.cfg.Log.Warn("peers will refuse the next blocks: the configuration does not accept their signer", "mspid", id.MSPID(), "err", err)
	}
}
