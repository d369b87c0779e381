// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp/channelconfig"
	"github.com/weft-p2p/weft/topics"
)

// newRelay makes the part that spreads the bodies of blocks.
func (c *Channel) newRelay() *relay.Channel {
	return relay.NewChannel(relay.ChannelConfig{
		Config: relay.Config{
			Self: c.node.ID(), Org: c.node.MSPID(), Hidden: c.node.hidden(), FanOut: c.node.fanOut, NoParity: !c.node.parity, Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		},
		Scope: c.announcements.Name, Carrier: c.node.carrier, May: c.reads, Readers: c.readers, View: c.relayView,
		Judge: c.judgeRelayed, Complete: c.relayed, GiveUp: c.missed, Publish: c.publish,
		Received:   func(bytes int) { c.sync.Received(blocksync.ByRelay, bytes) },
		Wanted:     func(why relay.Late, leaves int) { c.node.counts.wanted(c.id, why, leaves) },
		Protecting: c.protecting,
		Dropped:    func(why relay.Drop, frames int) { c.node.counts.dropped(c.id, why, frames) },
	})
}

// relayView are the members that live, the newest host key of each first, and who else may read the channel and is connected.
func (c *Channel) relayView() (view []relay.Member) {
	known, alive := map[peer.ID]bool{}, c.tracker.Alive()
	slices.SortStableFunc(alive, func(a, b membership.Member) int {
		return cmp.Compare(b.Record.Incarnation(), a.Record.Incarnation())
	})
	for _, m := range alive {
		known[m.ID] = true
		view = append(view, relay.Member{
			ID: m.ID, Identity: ownerOf(m.Record.Identity()).Identity, Org: m.MSPID, Hidden: !m.Visible && m.MSPID == c.node.MSPID(), Leader: m.State.Leader,
			Far: c.node.far(m.ID),
		})
	}
	for _, id := range c.readers() {
		if record, _ := c.node.auth.Known(id); record != nil && !known[id] {
			owner := ownerOf(record.Identity())
			view = append(view, relay.Member{ID: id, Identity: owner.Identity, Org: owner.Org, Guest: true})
		}
	}
	return view
}

// judgeRelayed gives the verdict on an announcement that came over the relay's streams.
func (c *Channel) judgeRelayed(from peer.ID, sealed []byte) (relay.Announcement, relay.Verdict) {
	j := c.judge(sealed)
	if a, ok := c.spreads(j, sealed); ok && a.From != c.node.ID() {
		return a, relay.Verified
	}
	if j.Hint {
		c.sync.Have(j.Announcer.PeerID(), j.Announcement.Header.Number+1)
	}
	if j.Verdict == topics.Reject {
		return relay.Announcement{}, relay.Rejected
	}
	switch j.Reason {
	case topics.Unlinked, topics.NewerConfig, topics.UnknownMember:
		return relay.Announcement{}, relay.Later
	}
	return relay.Announcement{}, relay.Refused
}

// spreads is what the relay is told of an announcement: one of a header that is verified, by a member.
func (c *Channel) spreads(j topics.Judgement, sealed []byte) (relay.Announcement, bool) {
	if j.Reason != topics.Valid && j.Reason != topics.Known || j.Announcement.Data != nil || !c.admits(j.Announcer.Identity()) {
		return relay.Announcement{}, false
	}
	a := j.Announcement
	return relay.Announcement{
		Number: a.Header.Number, Root: a.Root, Size: a.BodySize, Parity: a.Parity, From: j.Announcer.PeerID(), Org: j.Announcer.Identity().MSPID(), Sealed: sealed,
		Of: &common.Block{Header: a.Header, Metadata: &common.BlockMetadata{Metadata: [][]byte{a.Signatures}}},
	}, true
}

// relayed takes a body that the relay has brought. It reports false if the body is not that of the header: then its
// announcers have lied about the root.
func (c *Channel) relayed(b relay.Complete) bool {
	data, canonical := block.DecodeData(b.Body)
	whole := &common.Block{Header: b.Of.Header, Data: data, Metadata: b.Of.Metadata}
	if !canonical || block.Normalize(whole) != nil {
		return false
	}
	examined := channelconfig.Examine(whole, c.sync.Position().Bundle)
	if err := examined.Content(); err != nil {
		c.node.log.Debug("false root", "channel", c.id, "number", b.Number, "announcers", b.Announcers, "err", err)
		return false
	}
	c.delivery.relayed(b.Took, b.Floor)
	c.node.counts.relayed(c.id, b.Took, b.Floor)
	if b.Rebuilt {
		c.node.counts.rebuilt(c.id)
	}
	c.witness.Seen(whole.Header, b.Root, b.Size)
	c.sync.OfferExamined(examined, b.From)
	return true
}

// protecting hears when our blocks get parity, and when they do not any more.
func (c *Channel) protecting(on bool) {
	c.node.counts.protecting(c.id, on)
	if on {
		c.node.log.Info("members see packets lost: blocks get parity", "channel", c.id)
	} else {
		c.node.log.Info("hardly any packets are lost any more: blocks get no parity", "channel", c.id)
	}
}

// missed hears of a block that does not come any further: it is asked for. Whoever announced it has it.
func (c *Channel) missed(b relay.Lost) {
	why := blocksync.Stalled
	if b.Crowded {
		why = blocksync.Crowded
	}
	if b.Number >= c.Height() {
		c.sync.Repaired(why, 1)
	}
	for _, id := range b.Announcers {
		c.sync.Have(id, b.Number+1)
	}
}

// publish spreads an announcement of ours on the topic.
func (c *Channel) publish(ctx context.Context, sealed []byte) {
	if err := c.announcements.Publish(ctx, sealed); err != nil && ctx.Err() == nil {
		c.node.log.Warn("block not announced on the topic", "channel", c.id, "err", err)
	}
}
