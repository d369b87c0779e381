// SPDX-License-Identifier: Apache-2.0

package host

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/msp"
)

// maxTwins bounds the identities that a duplicate host key was reported of.
const maxTwins = 256

// acquaintances are the peers whose records are known: at most limit, and HostKeys of one identity; room.go has who goes.
// Safe for concurrent use.
type acquaintances struct {
	limit     int
	connected func(peer.ID) bool
	onChange  func(peer.ID, *msp.Record, Result)
	dated     chan struct{} // 1-buffered: due came nearer

	mu         sync.Mutex // guards all below; never held while calling out
	peers      *simplelru.LRU[peer.ID, *acquaintance]
	generation uint64 // of the configurations; a judgement under an older one does not count
	twins      *simplelru.LRU[msp.Key, struct{}]
	due        time.Time // no record ends before; zero: none is known
	changed    []peer.ID // told next, in this order
	changes    map[peer.ID]acquaintance
	telling    bool // somebody is in tell
}

// acquaintance is one peer.
type acquaintance struct {
	record *msp.Record
	result Result
	shown  uint64 // incarnation of our record that the peer has, zero when its connection ended since
}

func newAcquaintances(limit int, connected func(peer.ID) bool, onChange func(peer.ID, *msp.Record, Result)) *acquaintances {
	peers, _ := simplelru.NewLRU[peer.ID, *acquaintance](limit+1, nil) // one more, so that we choose who goes; no error above 0
	twins, _ := simplelru.NewLRU[msp.Key, struct{}](maxTwins, nil)
	return &acquaintances{
		limit: limit, connected: connected, onChange: onChange, dated: make(chan struct{}, 1),
		peers: peers, twins: twins, changes: make(map[peer.ID]acquaintance),
	}
}

func (a *acquaintances) find(id peer.ID) (*msp.Record, Result) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if k, ok := a.peers.Peek(id); ok {
		return k.record, k.result
	}
	return nil, Unspecified
}

// learn judges a record and keeps it unless a newer one is known. It returns the result of the one that is kept.
func (a *acquaintances) learn(id peer.ID, rec *msp.Record, judge func(*msp.Record) Result) Result {
	for {
		a.mu.Lock()
		generation := a.generation
		a.mu.Unlock()
		res := judge(rec)
		if kept, ok := a.keep(id, rec, res, generation); ok {
			a.keepNewest(rec)
			a.makeRoom(id)
			a.tell()
			return kept
		}
	}
}

// keep returns false when the configurations changed while the record was judged.
func (a *acquaintances) keep(id peer.ID, rec *msp.Record, res Result, generation uint64) (Result, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.generation != generation {
		return Unspecified, false
	}
	known, ok := a.peers.Get(id)
	if !ok {
		known = &acquaintance{}
	} else if known.record.Digest() != rec.Digest() && known.record.Incarnation() >= rec.Incarnation() {
		return known.result, true
	}
	a.put(id, &acquaintance{record: rec, result: res, shown: known.shown}, known)
	return res, true
}

// put replaces was by k and notes the change. Callers hold mu.
func (a *acquaintances) put(id peer.ID, k, was *acquaintance) {
	a.peers.Add(id, k)
	a.expect(k.record.End())
	if was.result != k.result || was.record == nil || was.record.Digest() != k.record.Digest() {
		a.note(id, *k)
	}
}

// drop forgets a peer. Callers hold mu.
func (a *acquaintances) drop(id peer.ID) {
	if k, ok := a.peers.Peek(id); ok {
		a.peers.Remove(id)
		a.note(id, acquaintance{record: k.record})
	}
}

func (a *acquaintances) note(id peer.ID, k acquaintance) {
	if _, waits := a.changes[id]; !waits {
		a.changed = append(a.changed, id)
	}
	a.changes[id] = k
}

// tell calls onChange for what changed. When somebody is at it already, the changes are left to them, so that onChange
// hears the changes of a peer in order and may itself cause more.
func (a *acquaintances) tell() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.telling {
		return
	}
	a.telling = true
	for len(a.changed) > 0 {
		id := a.changed[0]
		k := a.changes[id]
		a.changed = a.changed[1:]
		delete(a.changes, id)
		a.mu.Unlock()
		a.onChange(id, k.record, k.result)
		a.mu.Lock()
	}
	a.telling = false
}

// rejudge judges all records and returns the peers that are refused now, or no members any more, and were not before.
func (a *acquaintances) rejudge(judge func(*msp.Record) Result) []peer.ID {
	a.mu.Lock()
	a.generation++
	generation := a.generation
	ids := a.peers.Keys()
	a.mu.Unlock()

	var lost []peer.ID
	for _, id := range ids {
		rec, was := a.find(id)
		if rec == nil {
			continue
		}
		res := judge(rec)
		changed, current := a.update(id, rec, res, generation)
		if !current {
			break
		}
		if changed && (res == Refused || was == Verified) {
			lost = append(lost, id)
		}
	}
	a.tell()
	return lost
}

// update sets the result of a record that is still the peer's. current is false when a later rejudge has begun.
func (a *acquaintances) update(id peer.ID, rec *msp.Record, res Result, generation uint64) (changed, current bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.generation != generation {
		return false, false
	}
	known, ok := a.peers.Peek(id)
	if !ok || known.record != rec || known.result == res {
		return false, true
	}
	known.result = res
	a.note(id, *known)
	return true, true
}
