// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// Member is a peer of a channel, as far as we have heard.
type Member = membership.Member

// Status is where a channel stands.
type Status struct {
	Channel string
	Height  uint64 // number of blocks that are committed
	Head    []byte // header hash of the last of them
	Highest uint64 // greatest height that any member claims, or our own: how far there is to go
	Config  uint64 // number of the configuration block in force
	Members int    // members that live, ourselves not counted
	Leads   bool   // we pull from the ordering service
	Source  leader.Status
	Intake  Intake // where blocks come from, whoever pulls them
	// Delivery says how live blocks come.
	Delivery Delivery
}

// ID is the channel ID.
func (c *Channel) ID() string { return c.id }

// Height is the number of blocks that are committed.
func (c *Channel) Height() uint64 { return c.sync.Position().Height }

// WaitHeight blocks until at least height blocks are committed. It returns ctx's error, or why the channel ended.
func (c *Channel) WaitHeight(ctx context.Context, height uint64) error {
	err := c.sync.WaitHeight(ctx, height)
	if errors.Is(err, blocksync.ErrStopped) {
		<-c.done
		return c.endError()
	}
	return err
}

// Blocks yields the committed blocks from number from on and follows: it waits for blocks that are still to come. It ends
// with an error: ctx's, or why the channel ended. Blocks belong to the caller.
func (c *Channel) Blocks(ctx context.Context, from uint64) iter.Seq2[*common.Block, error] {
	return func(yield func(*common.Block, error) bool) {
		for number := from; ; number++ {
			b, err := c.block(ctx, number)
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

func (c *Channel) block(ctx context.Context, number uint64) (*common.Block, error) {
	if err := c.WaitHeight(ctx, number+1); err != nil {
		return nil, err
	}
	b, err := readBlock(c.ledger, number)
	if err != nil && c.ended() {
		return nil, c.endError()
	}
	return b, err
}

// Members are the members of the channel that we have heard of, dead ones included, sorted by peer ID; not ourselves.
func (c *Channel) Members() []Member { return c.tracker.Members() }

// Leader is the member of our organization that pulls the channel from the ordering service, as far as we know; it may be
// ourselves. False if nobody does.
func (c *Channel) Leader() (peer.ID, bool) {
	if c.elector != nil {
		id := c.elector.Leader()
		return id, id != ""
	}
	if c.leads() {
		return c.node.ID(), true
	}
	for _, m := range c.tracker.Alive() {
		if m.State.Leader && m.MSPID == c.node.MSPID() {
			return m.ID, true
		}
	}
	return "", false
}

// Config is the channel configuration in force.
func (c *Channel) Config() *channelconfig.Bundle { return c.sync.Position().Bundle }

// ConfigAt is the channel configuration that judges block number, 1 to the height: with it and the header of the block
// before, [channelconfig.NewVerifier] verifies the chain from there on. It reads the ledger.
func (c *Channel) ConfigAt(number uint64) (*channelconfig.Bundle, error) {
	if height := c.Height(); number > height {
		return nil, fmt.Errorf("configuration of block %d of channel %s: %w: the next block is %d", number, c.id, channelconfig.ErrNumber, height)
	}
	return configAt(c.ledger, number)
}

// Status is where the channel stands now.
func (c *Channel) Status() Status {
	at := c.sync.Position()
	living, _ := c.tracker.Count()
	s := Status{
		Channel: c.id, Height: at.Height, Head: at.Head, Highest: c.sync.Highest(), Config: at.Bundle.Number(),
		Members: living, Leads: c.leads(), Intake: c.intake.show(c.why()), Delivery: c.delivery.show(c.sync.Tally()),
	}
	if c.puller != nil {
		s.Source = c.puller.Status()
	}
	return s
}

// Leave says goodbye to the members and closes the channel. What is committed stays. It waits until the goodbye is on its way to
// everybody, or ctx ends; the error is of the goodbye, the channel is closed in any case.
func (c *Channel) Leave(ctx context.Context) error {
	c.leaving.Store(true) // before the goodbye: no later heartbeat may list the channel
	var err error
	if !c.node.hidden() && !c.ended() {
		if err = c.beacon.Leave(ctx); err == nil {
			err = c.members.Flush(ctx)
		}
	}
	if closed := c.Close(); closed != nil {
		return closed
	}
	c.node.org.beacon.Poke()
	if err != nil {
		return fmt.Errorf("tell the members of channel %s: %w", c.id, err)
	}
	return nil
}

// Close stops the channel and waits for it. It may be called more than once, and returns what ended the channel if it was
// not Close.
func (c *Channel) Close() error {
	c.cancel()
	<-c.done
	return c.Err()
}

// Done is closed when the channel has stopped.
func (c *Channel) Done() <-chan struct{} { return c.done }

// Err is what ended the channel: nil while it runs and after Close.
func (c *Channel) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *Channel) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// endError is what a caller who waits is told when the channel has ended.
func (c *Channel) endError() error {
	if err := c.Err(); err != nil {
		return err
	}
	return fmt.Errorf("channel %s: %w", c.id, ErrClosed)
}

// readers are the peers that we are connected to and that may read the channel.
func (c *Channel) readers() []peer.ID { return c.node.connected(c.announcements.Name) }

// reads says whether a peer may read the channel.
func (c *Channel) reads(id peer.ID) bool { return c.node.allows(id, c.announcements.Name) }

// poke makes the channel's beacon speak soon, if it speaks at all.
func (c *Channel) poke() { c.beacon.Poke() }

// state is what we tell others about our copy of the channel.
func (c *Channel) state() membership.ChannelState {
	at := c.sync.Position()
	return membership.ChannelState{
		Scope: c.announcements.Name, Height: at.Height, HeadHash: at.Head, Config: at.Bundle.Number(), Leader: c.leads(),
	}
}

// compose is what we tell the members of other organizations: our external addresses and this channel.
func (c *Channel) compose() ([]ma.Multiaddr, []membership.ChannelState) {
	return c.node.external(), []membership.ChannelState{c.state()}
}
