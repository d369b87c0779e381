// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"bytes"
	"context"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/topics"
)

// quiet is how long after the last commit a leader tells its height once more: if the last announcement of a burst was
// lost, nothing later makes up for it.
const quiet = 500 * time.Millisecond

// spare is how long a leader that is not the first of its organization leaves the announcing of a block to the first.
const spare = 250 * time.Millisecond

// announcer announces the blocks that our own source brought. What it cannot keep up with is not announced: the next
// announcement, or the next heartbeat, shows others what they lack.
type announcer struct {
	c       *Channel
	queue   chan queued
	heard   atomic.Uint64 // others have announced what is below
	settled chan struct{} // 1-buffered: there was a commit
}

// queued is a block to be announced, and when, unless somebody else has done it by then; zero: at once.
type queued struct {
	block *common.Block
	at    time.Time
}

func newAnnouncer(c *Channel) *announcer {
	return &announcer{c: c, queue: make(chan queued, 64), settled: make(chan struct{}, 1)}
}

// verified hears of every block that is about to be committed; from is empty for those of our own source. A block that most
// members have needs no announcement of ours; of one that another leader has announced, the relay is told all the same: it
// may have to go on where that one stops.
func (a *announcer) verified(b *common.Block, from peer.ID) {
	hash := block.HeaderHash(b.Header)
	if from != "" || a.old(b.Header.Number) {
		return
	}
	a.c.delivery.announced(b.Header.Number, time.Now())
	next := queued{block: b}
	if !a.c.announces() {
		next.at = time.Now().Add(spare)
	}
	if !bytes.Equal(a.c.sync.HashAt(b.Header.Number), hash) && !block.IsConfig(b) { // what follows one is judged under it, so not before it is committed
		a.c.sync.Extend(b.Header.Number, hash)
	}
	select {
	case a.queue <- next:
	default:
		a.c.node.counts.unannounced(a.c.id)
	}
}

// others hears of every announcement of a block that is, or becomes, ours.
func (a *announcer) others(number uint64) {
	for below := a.heard.Load(); below <= number; below = a.heard.Load() {
		if a.heard.CompareAndSwap(below, number+1) {
			return
		}
	}
}

// old says whether most members claim to have the block: we are catching up with them.
func (a *announcer) old(number uint64) bool { return a.c.tracker.MostHave(number + 1) }

// settle hears of every commit.
func (a *announcer) settle() {
	if !a.c.leads() {
		return
	}
	select {
	case a.settled <- struct{}{}:
	default:
	}
}

// run announces until ctx ends.
func (a *announcer) run(ctx context.Context) error {
	calm := time.NewTimer(time.Hour)
	defer calm.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case q := <-a.queue:
			if err := a.turn(ctx, q); err != nil && ctx.Err() == nil {
				a.c.node.log.Warn("block not announced", "channel", a.c.id, "number", q.block.Header.Number, "err", err)
			}
		case <-a.settled:
			calm.Reset(quiet)
		case <-calm.C:
			a.c.beacon.Urge()
		}
	}
}

// turn announces a block when its time has come, unless that was done meanwhile.
func (a *announcer) turn(ctx context.Context, q queued) error {
	if !q.at.IsZero() {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(q.at)):
		}
		if q.block.Header.Number < a.heard.Load() {
			return nil
		}
	}
	return a.announce(ctx, q.block)
}

func (a *announcer) announce(ctx context.Context, b *common.Block) error {
	announcement, err := topics.Announce(b)
	if err != nil {
		return err
	}
	if announcement.BodySize > topics.Inline && a.c.relay.Reaches() {
		announcement.Data = nil
		if shards := a.c.relay.Parity(announcement.BodySize); shards > 0 {
			if err := announcement.Protect(shards); err != nil {
				return err
			}
		}
	}
	content, err := announcement.Marshal()
	if err != nil {
		return err
	}
	sealed, err := msp.Seal(topics.Purpose, a.c.announcements.Name, a.c.node.myRecord(), a.c.node.signer(), content)
	if err != nil {
		return err
	}
	if announcement.Data != nil {
		return a.c.announcements.Publish(ctx, sealed)
	}
	a.c.relay.Offer(relay.Announcement{
		Number: b.Header.Number, Root: announcement.Root, Size: announcement.BodySize, Parity: announcement.Parity, Sealed: sealed, Of: &common.Block{Header: b.Header},
	}, announcement.Body, announcement.Tree)
	return nil
}
