// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/weft-p2p/weft/blocksync"
	weftHost "github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// ErrOtherOrg says that an identity of another organization was given to a node.
var ErrOtherOrg = errors.New("weft: identity of another organization")

func compare(a, b string) int { return cmp.Compare(a, b) }

// identity is the node's own MSP identity.
func (n *Node) identity() *msp.Local {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.local
}

func (n *Node) signer() *msp.SigningIdentity { return n.identity().Signer }

// myRecord is the node's own member record.
func (n *Node) myRecord() *msp.Record {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.record
}

// SetIdentity takes a renewed certificate, with the same or a new key, of the same organization. Neither the peer ID nor any
// connection changes; whoever is connected is shown the new record before it returns.
func (n *Node) SetIdentity(ctx context.Context, identity *msp.Local) error {
	if identity.MSP.ID() != n.MSPID() {
		return fmt.Errorf("%w: %s, this node is of %s", ErrOtherOrg, identity.MSP.ID(), n.MSPID())
	}
	if err := n.renewRecord(identity); err != nil {
		return err
	}
	n.log.Info("identity renewed", "expires", identity.Signer.ExpiresAt())
	return n.auth.Renew(ctx)
}

// renewRecord issues a record of a new incarnation for an identity and takes both into use together.
func (n *Node) renewRecord(identity *msp.Local) error {
	key := n.host.Peerstore().PrivKey(n.host.ID())
	if key == nil {
		return fmt.Errorf("weft: the host's peerstore has no private key for %s", n.host.ID())
	}
	if err := identity.MSP.IsPeer(identity.Signer.Identity); err != nil {
		return fmt.Errorf("weft: our own identity %s may not act as a peer: %w", identity.Signer, err)
	}
	incarnation, err := n.nextIncarnation()
	if err != nil {
		return err
	}
	record, err := msp.IssueRecord(key, identity.Signer, incarnation, now())
	if err != nil {
		return fmt.Errorf("issue member record for %s: %w", identity.Signer, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.local, n.record = identity, record
	return nil
}

func (n *Node) nextIncarnation() (uint64, error) {
	if n.incarnations != nil {
		return n.incarnations.Next(now())
	}
	at := uint64(now().UnixNano())
	if last := n.myRecord(); last != nil {
		at = max(at, last.Incarnation()+1)
	}
	return at, nil
}

// keepRecord renews the record at half of its life until ctx ends. An identity that has expired is an error that an
// operator must act on; the node goes on with what it has until others refuse it.
func (n *Node) keepRecord(ctx context.Context) error {
	for {
		left := n.myRecord().Expiry().Sub(now())
		timer := time.NewTimer(max(left/2, time.Minute))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if err := n.renewRecord(n.identity()); err != nil {
			n.log.Error("member record not renewed, others will refuse this node; renew its certificate", "err", err)
			continue
		}
		_ = n.auth.Renew(ctx) // its only error is ctx's
	}
}

// outdated hears that others have seen a higher incarnation of ours: a file was lost, or the clock set back.
func (n *Node) outdated(highest uint64) {
	if n.incarnations == nil || !n.incarnations.Seen(highest) {
		return
	}
	if err := n.renewRecord(n.identity()); err != nil {
		n.log.Error("member record not renewed", "err", err)
		return
	}
	n.log.Info("others knew a newer incarnation of this node, it has taken a newer one", "seen", highest)
	n.org.beacon.Poke()
}

// judge says what a record is worth to this node: our organization is judged by the local MSP, and every organization by
// the configurations of the channels that we are in.
func (n *Node) judge(r *msp.Record) weftHost.Result {
	id := r.Identity()
	if id.ValidAt(now()) != nil {
		return weftHost.Refused
	}
	if own := n.identity().MSP; own.ID() == id.MSPID() {
		err := own.IsPeer(id)
		switch {
		case errors.Is(err, msp.ErrUnknownCA):
			return weftHost.Unknown
		case err != nil:
			return weftHost.Refused
		default:
			return weftHost.Verified
		}
	}
	return n.judgeByChannels(id)
}

func (n *Node) judgeByChannels(id *msp.Identity) weftHost.Result {
	result := weftHost.Refused
	channels := n.Channels()
	if len(channels) == 0 {
		return weftHost.Unknown
	}
	for _, c := range channels {
		err := c.sync.Position().Bundle.Member(id)
		if err == nil {
			return weftHost.Verified
		}
		if errors.Is(err, channelconfig.ErrUnknownOrg) {
			result = weftHost.Unknown
		}
	}
	return result
}

// judged hears that what a peer is worth has changed.
func (n *Node) judged(id peer.ID, _ *msp.Record, result weftHost.Result) {
	switch result {
	case weftHost.Verified:
		n.poke()
		for _, c := range n.Channels() {
			if m, here := c.tracker.Find(id); here { // what it said before may be asked of it now
				c.sync.Have(id, m.State.Height)
			}
		}
	case weftHost.Unknown:
		for _, c := range n.Channels() {
			c.askUnknown(id)
		}
	case weftHost.Refused, weftHost.Unspecified:
		n.org.tracker.Forget(id)
		for _, c := range n.Channels() {
			c.tracker.Forget(id)
			c.sync.Gone(id)
		}
	}
	if n.guard != nil && result != weftHost.Verified {
		n.guard.Recheck(n.host)
	}
}

// poke makes every beacon speak soon: somebody is there who has not heard us.
func (n *Node) poke() {
	n.org.beacon.Poke()
	for _, c := range n.Channels() {
		c.poke()
	}
}

// speaks says whether a peer is authenticated and not barred.
func (n *Node) speaks(id peer.ID) bool {
	_, result := n.auth.Known(id)
	return result == weftHost.Verified && !n.accounts.Barred(id)
}

// allows says whether a peer may read and write a topic: the organization's, or one of a channel.
func (n *Node) allows(id peer.ID, topic string) bool {
	record, result := n.auth.Known(id)
	if result != weftHost.Verified || n.accounts.Barred(id) {
		return false
	}
	if topic == n.org.topic.Name {
		return record.Identity().MSPID() == n.MSPID()
	}
	c := n.scope(topic)
	return c != nil && c.admits(record.Identity())
}

// readable is the channel of a scope that a peer may read, nil if there is none.
func (n *Node) readable(scope string, reader peer.ID) *blocksync.Sync {
	c := n.scope(scope)
	if c == nil || !n.allows(reader, scope) {
		return nil
	}
	return c.sync
}

// mayAsk says whether a peer may be asked for blocks. One whose organization is unknown to our configuration may: blocks
// prove themselves, and it may know a newer configuration.
func (n *Node) mayAsk(id peer.ID) bool {
	_, result := n.auth.Known(id)
	return result == weftHost.Verified || result == weftHost.Unknown
}
