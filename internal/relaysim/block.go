// SPDX-License-Identifier: Apache-2.0

package relaysim

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/leaves"
	"github.com/weft-p2p/weft/internal/parity"
)

// Block is a block to spread.
type Block struct {
	relay.Announcement
	Body []byte
	Tree *leaves.Tree
	At   time.Duration // when its first peer had it
}

// Block makes a block of random bytes.
func (s *Sim) Block(number uint64, size int) *Block {
	b := &Block{Body: make([]byte, size)}
	for i := 0; i+8 <= size; i += 8 {
		binary.LittleEndian.PutUint64(b.Body[i:], s.rand.Uint64())
	}
	if size >= 8 {
		binary.LittleEndian.PutUint64(b.Body, number)
	}
	b.Tree = leaves.Build(b.Body)
	b.Number, b.Root, b.Size = number, b.Tree.Root(), size
	return b
}

// seal is an announcement on the wire: who announces which block, and filling.
func (s *Sim) seal(from int, b *Block) relay.Announcement {
	a := b.Announcement
	if shards := s.Peers[from].Machine.Parity(b.Size); shards > 0 {
		a.Parity, _ = parity.Make(b.Body, shards)
	}
	a.Sealed = make([]byte, s.Sealed)
	binary.LittleEndian.PutUint32(a.Sealed, uint32(from))
	binary.LittleEndian.PutUint32(a.Sealed[4:], uint32(len(s.sealed)))
	s.sealed = append(s.sealed, a)
	return a
}

// Publish lets a peer spread a block.
func (s *Sim) Publish(i int, b *Block) {
	if b.At == 0 {
		b.At = s.now
	}
	p, a := s.Peers[i], s.seal(i, b)
	p.Machine.Publish(s.time(), a, b.Body, b.Tree)
	s.gossip(a.Sealed)
	p.has(b.Number)
	p.act()
}

// Offer gives a block of the ordering service to one of several leaders.
func (s *Sim) Offer(i int, b *Block) {
	if b.At == 0 {
		b.At = s.now
	}
	p, a := s.Peers[i], s.seal(i, b)
	p.Machine.Offer(s.time(), a, b.Body, b.Tree)
	if p.Announces(b.Ref()) {
		s.gossip(a.Sealed)
	}
	p.has(b.Number)
	p.act()
}

// gossip brings an announcement to everybody over the topic, a while later.
func (s *Sim) gossip(sealed []byte) {
	if s.Topic == 0 {
		return
	}
	for _, p := range s.Peers {
		s.After(s.Topic, func() {
			s.Payload += int64(topicCopies * len(sealed))
			p.announced(&relay.Frame{Kind: relay.Announce, Data: sealed})
		})
	}
}

// topicCopies is in how many copies gossipsub brings a message (dissemination-experiments.md).
const topicCopies = 5

// receive takes a frame that has come whole.
func (p *Peer) receive(from *Peer, f *relay.Frame) {
	s := p.sim
	s.Payload += int64(f.Size())
	if f.Kind != relay.Announce {
		p.Receive(s.time(), from.id, f)
		p.act()
		return
	}
	s.After(s.Judge, func() { p.announced(f) })
}

// announced takes a verified announcement.
func (p *Peer) announced(f *relay.Frame) {
	s := p.sim
	a := s.sealed[binary.LittleEndian.Uint32(f.Data[4:])]
	a.Parity.Body, a.Parity.Tree = nil, nil
	announcer := int(binary.LittleEndian.Uint32(f.Data))
	a.From, a.Org, a.Sealed, a.Crown, a.Targets, a.Mode = ID(announcer), s.Org(announcer), f.Data, f.Proof, f.Targets, f.Mode
	if a.From == p.id {
		return
	}
	p.Announced(s.time(), a)
	p.act()
}

// Spread is how a block got to the peers that count.
type Spread struct {
	All     time.Duration // to the last of them
	Median  time.Duration
	Missing int // how many it did not reach
	Copies  float64
}

// Result says how a block has spread to the peers for which count is true.
func (s *Sim) Result(b *Block, count func(i int) bool) Spread {
	var times []time.Duration
	r := Spread{}
	for i, p := range s.Peers {
		at, ok := p.Got[b.Number]
		switch {
		case !count(i):
		case !ok:
			r.Missing++
		default:
			times = append(times, at-b.At)
		}
	}
	slices.Sort(times)
	if len(times) > 0 {
		r.All, r.Median = times[len(times)-1], times[len(times)/2]
	}
	return r
}
