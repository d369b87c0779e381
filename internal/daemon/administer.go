// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"strconv"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/admin"
)

var _ admin.Node = (*channels)(nil)

// Channels implements [admin.Node], as do the methods below.
func (c *channels) Channels() []admin.Status {
	by, ids := c.all()
	all := make([]admin.Status, len(ids))
	for i, id := range ids {
		all[i] = c.status(id, by[id])
	}
	return all
}

// Join joins the channel of a genesis block.
func (c *channels) Join(ctx context.Context, raw []byte) (admin.Status, error) {
	g, err := parseGenesis(raw)
	if err != nil {
		return admin.Status{}, admin.Errorf(admin.ErrInvalid, "%v", err)
	}
	if err := c.join(ctx, g); err != nil {
		return admin.Status{}, err
	}
	e, ok := c.get(g.channel)
	if !ok {
		return admin.Status{}, admin.UnknownChannel(g.channel) // it was left meanwhile
	}
	return c.status(g.channel, e), nil
}

// Leave leaves a channel.
func (c *channels) Leave(ctx context.Context, id string) error { return c.leave(ctx, id) }

// Block is a committed block.
func (c *channels) Block(ctx context.Context, id, which string) ([]byte, error) {
	e, ok := c.get(id)
	if !ok {
		return nil, admin.UnknownChannel(id)
	}
	if err := e.stopped(); err != nil {
		return nil, fmt.Errorf("channel %s has stopped, its blocks cannot be read: %w", id, err)
	}
	number, err := position(e.channel, which)
	if err != nil {
		return nil, err
	}
	b, err := read(ctx, e.channel, number)
	if err != nil {
		return nil, fmt.Errorf("read block %d of channel %s: %w", number, id, err)
	}
	return proto.Marshal(b)
}

// position is the number of the block that is asked for; it is committed.
func position(c *weft.Channel, which string) (uint64, error) {
	s := c.Status()
	switch which {
	case "oldest":
		return 0, nil
	case "newest":
		return s.Height - 1, nil
	case "config":
		return s.Config, nil
	}
	number, err := strconv.ParseUint(which, 10, 64)
	if err != nil {
		return 0, admin.Errorf(admin.ErrInvalid, "%q is no block; give a number, oldest, newest or config", which)
	}
	if number >= s.Height {
		return 0, admin.Errorf(admin.ErrNotFound, "block %d of channel %s is not here; the newest is %d", number, c.ID(), s.Height-1)
	}
	return number, nil
}

// read reads a committed block.
func read(ctx context.Context, c *weft.Channel, number uint64) (b *common.Block, err error) {
	for b, err = range c.Blocks(ctx, number) {
		break
	}
	return b, err
}
