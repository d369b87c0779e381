// SPDX-License-Identifier: Apache-2.0

package host

import (
	"cmp"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/msp"
)

// HostKeys is how many host keys of one identity are remembered. One is normal, two while a node is replaced, and more are a
// certificate that was copied. Those with the newest incarnations stay: they are the nodes that were set up last.
const HostKeys = 4

// place is what an acquaintance occupies.
type place struct {
	id        peer.ID
	owner     fair.Owner
	verified  bool
	connected bool
}

// keepNewest drops the host key with the lowest incarnation when the identity of rec has too many.
func (a *acquaintances) keepNewest(rec *msp.Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var oldest peer.ID
	var lowest uint64
	count, key := 0, rec.Identity().Key()
	for _, id := range a.peers.Keys() {
		k, ok := a.peers.Peek(id)
		if !ok || k.record.Identity().Key() != key {
			continue
		}
		count++
		if in := k.record.Incarnation(); oldest == "" || cmp.Or(cmp.Compare(in, lowest), cmp.Compare(id, oldest)) < 0 {
			oldest, lowest = id, in
		}
	}
	if count > HostKeys {
		a.drop(oldest)
	}
}

// makeRoom drops one peer when there are too many.
func (a *acquaintances) makeRoom(newcomer peer.ID) {
	a.mu.Lock()
	full := a.peers.Len() > a.limit
	a.mu.Unlock()
	if !full {
		return
	}
	victim := victim(a.places(), newcomer)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.peers.Len() > a.limit {
		a.drop(victim)
	}
}

// places are all acquaintances, the one heard longest ago first.
func (a *acquaintances) places() []place {
	a.mu.Lock()
	places := make([]place, 0, a.peers.Len())
	for _, id := range a.peers.Keys() {
		if k, ok := a.peers.Peek(id); ok {
			places = append(places, place{id: id, owner: k.owner(), verified: k.result == Verified})
		}
	}
	a.mu.Unlock()
	for i := range places { // which asks the network
		places[i].connected = a.connected(places[i].id)
	}
	return places
}

// owner is whom the place is charged to. What an organization is called counts once we have verified it.
func (k *acquaintance) owner() fair.Owner {
	key := k.record.Identity().Key()
	o := fair.Owner{Identity: string(key[:])}
	if k.result == Verified {
		o.Org = k.record.Identity().MSPID()
	}
	return o
}

// victim is who gives up its place: who is not connected before who is no member before a member; of these the organization
// that has most, in it the identity that has most, and the one heard longest ago. The newcomer goes rather than its equals.
func victim(places []place, newcomer peer.ID) peer.ID {
	var tally fair.Tally
	for _, p := range places {
		tally.Add(p.owner, 1)
	}
	var worst place
	for i, p := range places {
		if i == 0 || missedLess(&tally, p, worst, newcomer) {
			worst = p
		}
	}
	return worst.id
}

// missedLess reports whether p should go rather than q, which was heard before p.
func missedLess(t *fair.Tally, p, q place, newcomer peer.ID) bool {
	if p.rank(newcomer) != q.rank(newcomer) {
		return p.rank(newcomer) < q.rank(newcomer)
	}
	return cmp.Or(t.Larger(p.owner, q.owner), compareNew(p.id, q.id, newcomer)) < 0
}

// rank orders what is missed least first.
func (p place) rank(newcomer peer.ID) int {
	switch {
	case !p.connected && p.id != newcomer:
		return 0
	case !p.verified:
		return 1
	}
	return 2
}

// compareNew puts the newcomer before all others.
func compareNew(a, b, newcomer peer.ID) int {
	switch {
	case a == newcomer:
		return -1
	case b == newcomer:
		return 1
	}
	return 0
}
