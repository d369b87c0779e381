// SPDX-License-Identifier: Apache-2.0

package reference

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// core.yaml: pullInterval, pullPeerNum, digestWaitTime, requestWaitTime, responseWaitTime.
const (
	pullInterval = 4 * time.Second
	pullPeers    = 3
	digestWait   = time.Second
	requestWait  = 1500 * time.Millisecond
	responseWait = 2 * time.Second
)

// pulls is where the rounds stand: our own, and what others asked.
type pulls struct {
	ours    map[uint64]bool      // nonces of our round
	owners  map[uint64][]peer.ID // who offers a block that we lack, while digests are taken
	nonces  map[uint64]time.Time // of others' hellos, and when they came
	answers map[peer.ID]uint64   // the nonce that a member's digest had
	taking  bool
}

func newPulls() pulls { return pulls{nonces: map[uint64]time.Time{}} }

// pullForever makes a round every four seconds, from a moment of its own on.
func (f *Fabric) pullForever(ctx context.Context) {
	f.mu.Lock()
	phase := time.Duration(f.Rand.Int64N(int64(pullInterval)))
	f.mu.Unlock()
	for wait := phase; rest(ctx, wait); wait = pullInterval - digestWait - responseWait {
		f.greet()
		if !rest(ctx, digestWait) {
			return
		}
		f.ask()
		if !rest(ctx, responseWait) {
			return
		}
		f.end()
	}
}

// rest waits for d; it reports false if ctx has ended.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// greet begins a round.
func (f *Fabric) greet() {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &f.pulls
	p.ours, p.owners, p.answers, p.taking = map[uint64]bool{}, map[uint64][]peer.ID{}, map[peer.ID]uint64{}, true
	for _, id := range f.some(pullPeers) {
		nonce := f.Rand.Uint64()
		p.ours[nonce] = true
		f.send(id, message{kind: hello, nonce: nonce}.frame())
	}
}

// offered takes a digest, in time. The lock is held.
func (f *Fabric) offered(from peer.ID, m message) {
	p := &f.pulls
	if !p.taking || !p.ours[m.nonce] {
		return
	}
	p.answers[from] = m.nonce
	for _, i := range m.items {
		if !f.had[i.number] {
			p.owners[i.number] = append(p.owners[i.number], from)
		}
	}
}

// ask asks for each block that we lack one of those who offer it, by chance.
func (f *Fabric) ask() {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, wanted := &f.pulls, map[peer.ID][]item{}
	p.taking = false
	numbers := make([]uint64, 0, len(p.owners))
	for number := range p.owners {
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	for _, number := range numbers {
		owner := p.owners[number][f.Rand.IntN(len(p.owners[number]))]
		wanted[owner] = append(wanted[owner], item{number: number})
	}
	for owner, items := range wanted {
		f.send(owner, message{request, p.answers[owner], items}.frame())
	}
}

// end ends a round: what comes later is not taken.
func (f *Fabric) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pulls.ours = nil
}

// asked answers a hello with the numbers of what we store, and a request within 1.5 s with the blocks. The lock is held.
func (f *Fabric) asked(from peer.ID, m message) {
	if f.Mute {
		return
	}
	now := time.Now()
	answer := message{kind: digest, nonce: m.nonce}
	if m.kind == hello {
		for nonce, at := range f.pulls.nonces {
			if now.Sub(at) > requestWait {
				delete(f.pulls.nonces, nonce)
			}
		}
		f.pulls.nonces[m.nonce] = now
		for number := range f.store {
			answer.items = append(answer.items, item{number: number})
		}
	} else if at, known := f.pulls.nonces[m.nonce]; known && now.Sub(at) <= requestWait {
		answer.kind = response
		for _, i := range m.items {
			if body, here := f.store[i.number]; here {
				answer.items = append(answer.items, item{i.number, body})
			}
		}
	}
	if len(answer.items) > 0 {
		f.send(from, answer.frame())
	}
}
