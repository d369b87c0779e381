// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"errors"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/relay"
	weftHost "github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
	"github.com/weft-p2p/weft/topics"
)

// admissions remembers what one configuration says of identities, the last knownRecords of them. It ends with the
// configuration.
type admissions struct {
	bundle *channelconfig.Bundle
	known  *lru.Cache[claim, error]
}

// claim is what an identity claims to be: a certificate of one organization is nothing under the MSP ID of another.
type claim struct {
	mspID       string
	certificate [32]byte
}

func newAdmissions(b *channelconfig.Bundle) *admissions {
	known, _ := lru.New[claim, error](knownRecords) // its only error is a size below one
	return &admissions{bundle: b, known: known}
}

// member is what [channelconfig.Bundle.Member] says of an identity.
func (a *admissions) member(id *msp.Identity) error {
	key := claim{id.MSPID(), id.Digest()}
	if err, ok := a.known.Get(key); ok {
		return err
	}
	err := a.bundle.Member(id)
	a.known.Add(key, err)
	return err
}

// member says whether an identity may act as a peer of the channel under the configuration in force. It changes together with
// the height: whoever was removed by a block may read nothing from the moment that others can.
func (c *Channel) member(id *msp.Identity) error {
	a := c.admitted.Load()
	if in := c.sync.Position().Bundle; a.bundle != in {
		a = newAdmissions(in)
		c.admitted.Store(a) // if an older one is stored over it, the next call puts it right
	}
	return a.member(id)
}

// admits is [Channel.member] as a yes or no.
func (c *Channel) admits(id *msp.Identity) bool { return c.member(id) == nil }

// unfit says whether our own identity may not act in the channel: it has expired, or the configuration in force turns it
// down. That our organization or CA is not in it bars nobody: the configuration may be behind.
func (c *Channel) unfit() bool {
	own := c.node.signer().Identity
	return own.ValidAt(now()) != nil || errors.Is(c.member(own), channelconfig.ErrRefused)
}

// ours says whether an identity may act as a peer of our own organization: the local MSP vouches for it, and no channel's
// configuration revokes it.
func (n *Node) ours(id *msp.Identity) error {
	if err := n.identity().MSP.IsPeer(id); err != nil {
		return err
	}
	for _, c := range n.Channels() {
		if err := c.member(id); errors.Is(err, msp.ErrRevoked) {
			return fmt.Errorf("channel %s: %w", c.id, err)
		}
	}
	return nil
}

// sever ends whatever runs on weft's streams between us and a peer that has lost a permission. What it may still have it
// asks for again.
func (n *Node) sever(id peer.ID) {
	weftHost.Sever(n.host, id, blocksync.Protocol.ID, topics.PushProtocol.ID, relay.Protocol.ID)
}

// review takes away what the new configuration does not give any more: places in the views, streams, leadership. was is the
// configuration before, nil when the channel has just been joined.
func (c *Channel) review(was *channelconfig.Bundle) {
	n := c.node
	n.auth.Rejudge()
	n.forgetRefused()
	for _, m := range c.tracker.Members() {
		if !c.admits(m.Record.Identity()) {
			c.tracker.Forget(m.ID)
			c.sync.Gone(m.ID)
		}
	}
	for _, id := range n.host.Network().Peers() {
		record, _ := n.auth.Known(id)
		if was != nil && record != nil && !c.admits(record.Identity()) && was.Member(record.Identity()) == nil {
			n.sever(id)
		}
	}
	if n.guard != nil {
		n.guard.Recheck(n.host)
	}
	if err := c.member(n.signer().Identity); was != nil && err != nil && was.Member(n.signer().Identity) == nil {
		n.log.Warn("this node is no member of the channel any more: others give it nothing", "channel", c.id, "config", c.sync.Position().Bundle.Number(), "err", err)
	}
	c.reconsider()
}

// forgetRefused forgets the members of our own organization that may not act as its peers any more.
func (n *Node) forgetRefused() {
	for _, m := range n.org.tracker.Members() {
		if n.ours(m.Record.Identity()) != nil {
			n.org.tracker.Forget(m.ID)
		}
	}
}
