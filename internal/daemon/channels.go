// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/admin"
	"github.com/weft-p2p/weft/internal/block"
)

// goodbye is how long leaving a channel may take to tell its members.
const goodbye = 3 * time.Second

// channels are those that the node is in, or should be. A channel that could not be joined again, or that an error has stopped, stays
// listed until it is left or joined anew, so that an operator sees it.
type channels struct {
	daemon  *Daemon
	changes sync.Mutex // one join or leave at a time

	mu sync.Mutex // guards by
	by map[string]entry
}

// entry is one channel. Without a channel, err says why it could not be joined.
type entry struct {
	channel *weft.Channel
	err     error
}

// stopped is why the channel does not run, nil while it does.
func (e entry) stopped() error {
	if e.channel == nil {
		return e.err
	}
	select {
	case <-e.channel.Done():
		if err := e.channel.Err(); err != nil {
			return err
		}
		return weft.ErrClosed
	default:
		return nil
	}
}

func (c *channels) set(id string, e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by[id] = e
}

func (c *channels) get(id string) (entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.by[id]
	return e, ok
}

// all are the channels by ID, and the IDs sorted.
func (c *channels) all() (map[string]entry, []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := maps.Clone(c.by)
	return by, slices.Sorted(maps.Keys(by))
}

// rejoin joins the channels that are remembered. One that cannot be joined is an error for the operator and keeps no other from
// being joined.
func (c *channels) rejoin(ctx context.Context) error {
	ids, err := c.daemon.dir.remembered()
	if err != nil {
		return err
	}
	for _, id := range ids {
		channel, err := c.resume(ctx, id)
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		if err != nil {
			channel = nil
			c.daemon.log.Error("channel not joined; repair what is wrong and start again, or leave the channel", "channel", id, "err", err)
		}
		c.set(id, entry{channel: channel, err: err})
	}
	return nil
}

// resume joins one channel that is remembered.
func (c *channels) resume(ctx context.Context, id string) (*weft.Channel, error) {
	path := c.daemon.dir.genesisFile(id)
	g, err := readGenesis(path)
	if err != nil {
		return nil, err
	}
	if g.channel != id {
		return nil, fmt.Errorf("%s is the genesis block of channel %q", path, g.channel)
	}
	return c.daemon.node.Join(ctx, g.block, c.daemon.joinOptions...)
}

// join joins a channel and remembers it.
func (c *channels) join(ctx context.Context, g genesis) error {
	c.changes.Lock()
	defer c.changes.Unlock()
	channel, err := c.daemon.node.Join(ctx, g.block, c.daemon.joinOptions...)
	if err != nil {
		return refusal(g.channel, err)
	}
	if err := writeFile(c.daemon.dir.genesisFile(g.channel), g.raw); err != nil {
		return errors.Join(err, channel.Close())
	}
	c.set(g.channel, entry{channel: channel})
	return nil
}

// refusal says whose fault it is that a channel was not joined.
func refusal(id string, err error) error {
	switch {
	case errors.Is(err, weft.ErrJoined):
		return admin.Errorf(admin.ErrConflict, "channel %s is joined already", id)
	case errors.Is(err, weft.ErrOtherGenesis):
		return admin.Errorf(admin.ErrConflict, "%v", err)
	case errors.Is(err, weft.ErrGenesis):
		return admin.Errorf(admin.ErrInvalid, "%v", err)
	default:
		return err
	}
}

// ensure joins a channel unless it is joined already, by the same genesis block.
func (c *channels) ensure(ctx context.Context, g genesis) error {
	if _, joined := c.get(g.channel); !joined {
		return c.join(ctx, g)
	}
	known, err := readGenesis(c.daemon.dir.genesisFile(g.channel))
	if err != nil {
		return err
	}
	if is, want := block.HeaderHash(known.block.GetHeader()), block.HeaderHash(g.block.GetHeader()); !bytes.Equal(is, want) {
		return fmt.Errorf("%w: channel %s is joined by genesis block %x, not %x; leave it first", weft.ErrOtherGenesis, g.channel, is, want)
	}
	return nil
}

// leave leaves a channel for good. Members that cannot be told find out by themselves.
func (c *channels) leave(ctx context.Context, id string) error {
	c.changes.Lock()
	defer c.changes.Unlock()
	e, ok := c.get(id)
	if !ok {
		return admin.UnknownChannel(id)
	}
	if err := c.daemon.dir.forget(id); err != nil {
		return fmt.Errorf("leave channel %s: %w", id, err)
	}
	c.mu.Lock()
	delete(c.by, id)
	c.mu.Unlock()
	if e.stopped() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	if err := e.channel.Leave(ctx); err != nil {
		c.daemon.log.Warn("channel left with an error", "channel", id, "err", err)
	}
	return nil
}
