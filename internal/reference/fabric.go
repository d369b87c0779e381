// SPDX-License-Identifier: Apache-2.0

package reference

import (
	"bufio"
	"context"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// FabricProtocol carries the messages of the model of Fabric's gossip.
const FabricProtocol protocol.ID = "/reference/fabric/1.0.0"

// Numbers of blocks that are kept for others to pull (maxBlockCountToStore), and messages that wait for one peer
// (sendBuffSize); what finds no room is lost.
const (
	storeSpan  = 10
	sendBuffer = 200
)

// Fabric is a model of what Fabric's peers of one organization do with blocks (gossip/gossip/channel, algo/pull.go,
// batcher.go of v3.1, with the defaults of core.yaml), on libp2p streams in place of gRPC: blocks are pushed once each to
// three peers, who push them on when they first see them, and every four seconds each peer asks three others for what it has
// missed. There is one stream to each peer and direction, opened when it is first needed. Left out: signatures, state
// transfer, and the ledger, so a block counts as delivered though the one before it is missing.
type Fabric struct {
	Config
	lines  map[peer.ID]chan []byte // frames that wait, by peer
	waking chan struct{}           // 1-buffered: something waits to be pushed

	mu      sync.Mutex // guards all below, and Rand
	closed  bool
	readers sync.WaitGroup    // added to under mu while not closed
	had     map[uint64]bool   // blocks that were delivered or published
	store   map[uint64][]byte // of these, what others can pull
	newest  uint64
	waiting []parcel
	pulls   pulls
}

// NewFabric makes a host's part; Run runs it.
func NewFabric(c Config) *Fabric {
	f := &Fabric{
		Config: c, lines: map[peer.ID]chan []byte{}, waking: make(chan struct{}, 1),
		had: map[uint64]bool{}, store: map[uint64][]byte{}, pulls: newPulls(),
	}
	for _, id := range c.Members {
		f.lines[id] = make(chan []byte, sendBuffer)
	}
	return f
}

// Run takes part until ctx ends, and waits for all it started.
func (f *Fabric) Run(ctx context.Context) error {
	f.Host.SetStreamHandler(FabricProtocol, func(s network.Stream) {
		f.mu.Lock()
		if f.closed {
			f.mu.Unlock()
			_ = s.Reset()
			return
		}
		f.readers.Add(1)
		f.mu.Unlock()
		defer f.readers.Done()
		f.read(ctx, s)
	})
	var inside sync.WaitGroup
	for to, line := range f.lines {
		inside.Go(func() { f.write(ctx, to, line) })
	}
	inside.Go(func() { f.pushForever(ctx) })
	inside.Go(func() { f.pullForever(ctx) })
	<-ctx.Done()
	f.Host.RemoveStreamHandler(FabricProtocol)
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	inside.Wait()
	f.readers.Wait()
	return nil
}

// Publish spreads a block.
func (f *Fabric) Publish(_ context.Context, number uint64, block []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keep(item{number, block}) {
		f.pass(parcel{item{number, block}, ""})
	}
	return nil
}

// keep remembers a block. It reports false if it is known, or too old. The lock is held.
func (f *Fabric) keep(b item) bool {
	if f.had[b.number] || b.number+storeSpan <= f.newest {
		return false
	}
	f.had[b.number], f.store[b.number] = true, b.body
	f.newest = max(f.newest, b.number)
	for n := range f.store {
		if n+storeSpan <= f.newest {
			delete(f.store, n)
		}
	}
	return true
}

// read takes a peer's messages until the stream ends.
func (f *Fabric) read(ctx context.Context, s network.Stream) {
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	in := bufio.NewReader(s)
	for {
		m, err := readMessage(in)
		if err != nil {
			_ = s.Reset()
			return
		}
		for _, number := range f.receive(s.Conn().RemotePeer(), m) {
			f.Delivered(number)
		}
	}
}

// receive acts on a message and returns the blocks in it that are new.
func (f *Fabric) receive(from peer.ID, m message) (fresh []uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch m.kind {
	case push:
		for _, b := range m.items {
			if f.keep(b) {
				fresh = append(fresh, b.number)
				f.pass(parcel{b, from})
			}
		}
	case response: // what was pulled is not pushed
		for _, b := range m.items {
			if f.pulls.ours[m.nonce] && f.keep(b) {
				fresh = append(fresh, b.number)
			}
		}
	case digest:
		f.offered(from, m)
	case hello, request:
		f.asked(from, m)
	}
	return fresh
}

// send leaves a frame for a peer's writer, or drops it.
func (f *Fabric) send(to peer.ID, frame []byte) {
	select {
	case f.lines[to] <- frame:
	default:
	}
}

// write writes what waits for one peer until ctx ends.
func (f *Fabric) write(ctx context.Context, to peer.ID, line <-chan []byte) {
	var s network.Stream
	for {
		select {
		case <-ctx.Done():
			return
		case frame := <-line:
			if s == nil {
				opened, err := f.Host.NewStream(ctx, to, FabricProtocol)
				if err != nil {
					continue // lost
				}
				s = opened
				defer context.AfterFunc(ctx, func() { _ = opened.Reset() })()
			}
			if _, err := s.Write(frame); err != nil {
				_ = s.Reset()
				s = nil
			}
		}
	}
}

// some are up to n members by chance. The lock is held.
func (f *Fabric) some(n int) []peer.ID {
	var chosen []peer.ID
	for _, i := range f.Rand.Perm(len(f.Members))[:min(n, len(f.Members))] {
		chosen = append(chosen, f.Members[i])
	}
	return chosen
}
