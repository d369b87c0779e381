// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// Errors of Join.
var (
	// ErrGenesis: the block is not the genesis block of a channel.
	ErrGenesis = errors.New("weft: not a genesis block")
	// ErrOtherGenesis: the ledger belongs to a chain with another genesis block.
	ErrOtherGenesis = errors.New("weft: ledger of another chain")
	// ErrNoLedger: there is nowhere to commit blocks.
	ErrNoLedger = errors.New("weft: no ledger: give WithDataDir to New or WithLedger to Join")
)

// channelID is Fabric's rule for channel IDs; it also makes them safe as names of folders.
var channelID = regexp.MustCompile(`^[a-z][a-z0-9.-]{0,248}$`)

// Join joins the channel of a genesis block, which the caller vouches for, and goes on from where its ledger stands. ctx is
// for joining alone. The node need not be in the genesis configuration: its organization may have been added later.
func (n *Node) Join(ctx context.Context, genesis *common.Block, opts ...JoinOption) (*Channel, error) {
	var j joinConfig
	for _, o := range opts {
		o(&j)
	}
	bundle, err := checkGenesis(genesis)
	if err != nil {
		return nil, err
	}
	c := &Channel{node: n, id: bundle.ChannelID(), done: make(chan struct{}), standing: make(chan struct{}, 1)}
	if err := n.reserve(c); err != nil {
		return nil, err
	}
	if err := c.open(ctx, genesis, &j); err != nil {
		n.release(c)
		return nil, fmt.Errorf("join channel %s: %w", c.id, err)
	}
	return c, n.admit(c)
}

func checkGenesis(genesis *common.Block) (*channelconfig.Bundle, error) {
	bundle, err := channelconfig.FromBlock(genesis)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrGenesis, err)
	case genesis.Header.GetNumber() != 0:
		return nil, fmt.Errorf("%w: it is block %d, fetch block 0 (\"oldest\")", ErrGenesis, genesis.Header.GetNumber())
	case !bytes.Equal(block.DataHash(genesis.Data), genesis.Header.GetDataHash()):
		return nil, fmt.Errorf("%w: its data is not what its header says", ErrGenesis)
	case !channelID.MatchString(bundle.ChannelID()):
		return nil, fmt.Errorf("%w: channel ID %q is outside %s", ErrGenesis, bundle.ChannelID(), channelID)
	}
	return bundle, nil
}

// reserve takes the channel's ID, so that nobody else joins it meanwhile.
func (n *Node) reserve(c *Channel) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return ErrClosed
	}
	if _, taken := n.joining[c.id]; taken {
		return fmt.Errorf("%w: %s", ErrJoined, c.id)
	}
	n.joining[c.id] = struct{}{}
	return nil
}

func (n *Node) release(c *Channel) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.joining, c.id)
	if n.channels[c.id] == c {
		delete(n.channels, c.id)
		delete(n.scopes, c.announcements.Name)
		delete(n.scopes, c.members.Name)
	}
}

// open opens the ledger and makes the parts. On an error nothing is left open.
func (c *Channel) open(ctx context.Context, genesis *common.Block, j *joinConfig) (err error) {
	if err := c.openLedger(j); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.closeLedger())
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	verifier, err := resume(c.ledger, genesis)
	if err != nil {
		return err
	}
	c.admitted.Store(newAdmissions(verifier.Bundle()))
	if err := c.recall(verifier.Bundle()); err != nil {
		return err
	}
	return c.wire(genesis, verifier, j)
}

func (c *Channel) openLedger(j *joinConfig) error {
	c.closeLedger = func() error { return nil }
	if c.ledger = j.ledger; c.ledger != nil {
		return nil
	}
	if c.node.dataDir == "" {
		return ErrNoLedger
	}
	dir := filepath.Join(c.node.dataDir, "ledgers", c.id)
	l, err := ledger.Open(dir, ledger.Options{Channel: c.id, Log: c.node.logger("blocksync")})
	if err != nil {
		return err
	}
	c.ledger, c.closeLedger = l, l.Close
	return nil
}

// resume stands a verifier at the ledger's height. An empty ledger gets the genesis block.
func resume(l blocksync.Ledger, genesis *common.Block) (*channelconfig.Verifier, error) {
	if l.Height() == 0 {
		normal := proto.CloneOf(genesis)
		if err := block.Normalize(normal); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrGenesis, err)
		}
		if err := l.Append(normal); err != nil {
			return nil, err
		}
	}
	first, err := l.HeaderHash(0)
	if err != nil {
		return nil, err
	}
	if want := block.HeaderHash(genesis.Header); !bytes.Equal(first, want) {
		return nil, fmt.Errorf("%w: its genesis block is %x, the one to join is %x; use another data directory", ErrOtherGenesis, first, want)
	}
	last, err := readBlock(l, l.Height()-1)
	if err != nil {
		return nil, err
	}
	bundle, err := configAt(l, l.Height())
	if err != nil {
		return nil, err
	}
	return channelconfig.NewVerifier(bundle, last.Header), nil
}

// configAt is the configuration that judges block number, which is at most the ledger's height.
func configAt(l blocksync.Ledger, number uint64) (*channelconfig.Bundle, error) {
	return channelconfig.InForce(number, func(n uint64) (*common.Block, error) { return readBlock(l, n) })
}

func readBlock(l blocksync.Ledger, number uint64) (*common.Block, error) {
	raw, err := l.Bytes(number)
	if err != nil {
		return nil, err
	}
	b := &common.Block{}
	if err := proto.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("block %d of the ledger: %w", number, err)
	}
	return b, nil
}

// admit makes the channel visible and starts it.
func (n *Node) admit(c *Channel) error {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		cancel()
		n.release(c)
		return errors.Join(ErrClosed, c.closeLedger())
	}
	n.channels[c.id] = c
	n.scopes[c.announcements.Name] = c
	n.scopes[c.members.Name] = c
	n.mu.Unlock()
	n.log.Info("joined channel", "channel", c.id, "height", c.Height())
	c.configured(c.sync.Position().Bundle)
	go func() {
		err := c.run(ctx)
		cancel()
		n.release(c)
		n.anchorsChanged()
		c.finish(errors.Join(err, c.forwarder.Close(), c.closeLedger()))
	}()
	n.org.beacon.Poke()
	return nil
}

func (c *Channel) finish(err error) {
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	if err != nil {
		c.node.log.Error("channel stopped", "channel", c.id, "err", err)
	} else {
		c.node.log.Info("channel closed", "channel", c.id)
	}
	close(c.done)
}
