// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	weftHost "github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// remembered is how many configurations back we know who was a member.
const remembered = 16

// mayAsk says whether a peer may be asked for blocks of the channel. One that our configuration does not know may, if it has
// authenticated and we keep it connected, as a member or as whoever is at a bootstrap or anchor address: blocks prove themselves,
// and it may know a newer configuration. A stranger that came by itself may not, for a request tells where we stand. Nor is one
// that was a member and was removed told how far we are, unless there is nobody else: it may have been added again.
func (c *Channel) mayAsk(id peer.ID) bool {
	record, result := c.node.auth.Known(id)
	if result != weftHost.Verified && result != weftHost.Unknown {
		return false
	}
	err := c.member(record.Identity())
	if !errors.Is(err, channelconfig.ErrUnknownOrg) {
		return err == nil
	}
	return c.node.keeper.Keeps(id) && (!c.removed(record.Identity()) || len(c.readers()) == 0)
}

// removed says whether one of the last configurations before the one in force admitted an identity.
func (c *Channel) removed(id *msp.Identity) bool {
	c.mu.Lock()
	past := c.past
	c.mu.Unlock()
	return slices.ContainsFunc(past, func(b *channelconfig.Bundle) bool { return b.Member(id) == nil })
}

// remember keeps the configuration that was in force, of the last few.
func (c *Channel) remember(was *channelconfig.Bundle) {
	if was == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.past = append(slices.Clone(c.past[max(0, len(c.past)-remembered+1):]), was)
}

// recall reads the configurations before b from the ledger.
func (c *Channel) recall(b *channelconfig.Bundle) error {
	for b.Number() > 0 && len(c.past) < remembered {
		var err error
		if b, err = configAt(c.ledger, b.Number()); err != nil {
			return err
		}
		c.past = slices.Insert(c.past, 0, b)
	}
	return nil
}

// askUnknown asks a peer whose organization or CA our configuration does not know for our next block, if it may be asked.
func (c *Channel) askUnknown(id peer.ID) {
	if c.mayAsk(id) {
		c.sync.Have(id, c.Height()+1)
	}
}

// askUnknowns asks all of them that are connected.
func (c *Channel) askUnknowns() {
	for _, id := range c.node.host.Network().Peers() {
		if _, result := c.node.auth.Known(id); result == weftHost.Unknown {
			c.askUnknown(id)
		}
	}
}

// keepAsking asks them again as often as a member tells its height, because nothing that they tell is heard.
func (c *Channel) keepAsking(ctx context.Context) error {
	ticker := time.NewTicker(c.node.timing.AliveInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			c.askUnknowns()
		}
	}
}
