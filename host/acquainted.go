// SPDX-License-Identifier: Apache-2.0

package host

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/msp"
)

// ids returns the peers that have shown a record.
func (a *acquaintances) ids() []peer.ID {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.peers.Keys()
}

// highest is the highest incarnation seen of a peer's host key, zero when there is none.
func (a *acquaintances) highest(id peer.ID) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if k, ok := a.peers.Peek(id); ok {
		return k.record.Incarnation()
	}
	return 0
}

// shown notes that a peer has our record of that incarnation; unshown that it may have forgotten it.
func (a *acquaintances) shown(id peer.ID, incarnation uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if k, ok := a.peers.Peek(id); ok {
		k.shown = max(k.shown, incarnation)
	}
}

func (a *acquaintances) unshown(id peer.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if k, ok := a.peers.Peek(id); ok {
		k.shown = 0
	}
}

// mutual says whether a peer is a verified member that has our record of that incarnation.
func (a *acquaintances) mutual(id peer.ID, incarnation uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, ok := a.peers.Peek(id)
	return ok && k.result == Verified && k.shown == incarnation
}

// twin returns another connected member with the identity of rec.
func (a *acquaintances) twin(id peer.ID, rec *msp.Record) (peer.ID, bool) {
	key := rec.Identity().Key()
	a.mu.Lock()
	var same []peer.ID
	for _, other := range a.peers.Keys() {
		k, ok := a.peers.Peek(other)
		if ok && other != id && k.result == Verified && k.record.Identity().Key() == key {
			same = append(same, other)
		}
	}
	a.mu.Unlock()
	for _, other := range same {
		if a.connected(other) {
			return other, true
		}
	}
	return "", false
}

// firstTwin says whether this is the first time that a duplicate of the identity is reported.
func (a *acquaintances) firstTwin(rec *msp.Record) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := rec.Identity().Key()
	known := a.twins.Contains(key)
	a.twins.Add(key, struct{}{})
	return !known
}
