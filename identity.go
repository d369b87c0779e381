// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"cmp"
	"context"
	"errors"
	"fmt"

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

// SetIdentity takes a renewed certificate, with the same or a new key, of the same organization, and the MSP that comes with
// it. Neither the peer ID nor any connection changes; whoever is connected is shown the new record before it returns. On an
// error, other than ctx's, the old identity stays in use.
func (n *Node) SetIdentity(ctx context.Context, identity *msp.Local) error {
	if identity.MSP.ID() != n.MSPID() {
		return fmt.Errorf("%w: %s, this node is of %s", ErrOtherOrg, identity.MSP.ID(), n.MSPID())
	}
	if err := n.renewRecord(identity); err != nil {
		return err
	}
	n.log.Info("identity renewed", "mspid", n.MSPID(), "expires", identity.Signer.ExpiresAt())
	select {
	case n.renewed <- struct{}{}:
	default:
	}
	n.auth.Rejudge()
	n.forgetRefused()
	n.reconsider()
	return n.auth.Renew(ctx)
}

// reconsider has every channel ask whether we may still lead, or lead again.
func (n *Node) reconsider() {
	for _, c := range n.Channels() {
		c.reconsider()
	}
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
	n.counts.identity(identity.Signer.ExpiresAt())
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
// the configurations of the channels that we are in. A record that is out of time is worth nothing.
func (n *Node) judge(r *msp.Record) weftHost.Result {
	id := r.Identity()
	if r.ValidAt(now()) != nil {
		return weftHost.Refused
	}
	if id.MSPID() != n.MSPID() {
		return n.judgeByChannels(id)
	}
	err := n.ours(id)
	switch {
	case errors.Is(err, msp.ErrUnknownCA):
		return weftHost.Unknown
	case err != nil:
		return weftHost.Refused
	default:
		return weftHost.Verified
	}
}

func (n *Node) judgeByChannels(id *msp.Identity) weftHost.Result {
	result := weftHost.Refused
	channels := n.Channels()
	if len(channels) == 0 {
		return weftHost.Unknown
	}
	for _, c := range channels {
		err := c.member(id)
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
	if result != weftHost.Verified {
		n.sever(id)
	}
	n.carrier.Poke()
	for _, c := range n.Channels() {
		c.relay.Refresh()
	}
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
