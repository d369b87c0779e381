// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bytes"
	"encoding/binary"
	"sync"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/leaves"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/topics"
)

// onRelay is what is said on a relay stream: of one channel, in frames.
func onRelay(scope string, frames ...*relay.Frame) []byte {
	out := lengthened(append([]byte{0}, scope...))
	for _, f := range frames {
		out = append(out, lengthened(f.Append([]byte{1, 0}))...)
	}
	return append([]byte{2}, out...)
}

// lengthened is a frame with its length.
func lengthened(frame []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(frame))), frame...)
}

// striped is the body of a block as it is announced and cut.
type striped struct {
	*topics.Announcement
	ref  relay.Ref
	body []byte
	tree *leaves.Tree
}

func stripe(a *topics.Announcement) striped {
	return striped{a, relay.RefOf(a.Header.Number, a.Root, a.BodySize), a.Body, a.Tree}
}

// falsely is the announcement of a block with the root of something else.
func falsely(a *topics.Announcement) striped {
	body := bytes.Repeat([]byte("x"), a.BodySize)
	a.Tree = leaves.Build(body)
	a.Root, a.Body = a.Tree.Root(), body
	return stripe(a)
}

func (s striped) piece(mode relay.Mode, first int, targets ...relay.Short) *relay.Frame {
	proof, _ := s.tree.Prove(nil, first, 1)
	size := leaves.Size(len(s.body))
	return &relay.Frame{
		Kind: relay.Piece, Ref: s.ref, Mode: mode, First: first, Count: 1, Proof: proof, Targets: targets,
		Data: bytes.Clone(s.body[first*size : min((first+1)*size, len(s.body))]),
	}
}

func (s striped) announce(sealed []byte) *relay.Frame {
	f := &relay.Frame{Kind: relay.Announce, Ref: s.ref, Data: sealed}
	f.Proof, _ = s.tree.Crown(nil)
	return f
}

// all says something about every leaf.
func (s striped) all(kind relay.Kind, targets ...relay.Short) *relay.Frame {
	f := &relay.Frame{Kind: kind, Ref: s.ref, Missing: relay.NewBitmap(s.tree.Count()), Have: relay.NewBitmap(s.tree.Count()), Targets: targets}
	for i := range s.tree.Count() {
		f.Missing.Set(i)
	}
	return f
}

// everybody are the names of all peers that run on relay streams.
func (n *testNet) everybody() (all []relay.Short) {
	for _, p := range n.running() {
		all = append(all, relay.ShortOf(p.host.ID()))
	}
	return all
}

// striped is a block of the chain, as the hat has signed its announcement.
func (h *hat) striped(b *common.Block) (s striped, announce *relay.Frame) {
	a := h.bare(b)
	s = stripe(a)
	return s, s.announce(h.sealed(h.announced(a)))
}

// forgedRelay is a kind of thing to say on relay streams: frames of a channel, or bytes. Each is so many faults of who says it.
type forgedRelay struct {
	name   string
	faults int
	make   func(h *hat) []byte
}

// said makes frames about the last block that everybody has, or about the newest, which is on its way.
func said(frames func(h *hat, s striped, announce *relay.Frame) []*relay.Frame) func(h *hat) []byte {
	return func(h *hat) []byte {
		b := h.last()
		if h.random.IntN(2) == 0 {
			b = h.net.ordered(h.net.orderer.Height() - 1)
		}
		s, announce := h.striped(b)
		return onRelay(h.net.channelTopic(topics.Announcements), frames(h, s, announce)...)
	}
}

var forgedRelays = []forgedRelay{
	{"an altered piece", 1, said(func(h *hat, s striped, announce *relay.Frame) []*relay.Frame {
		f := s.piece(relay.Relay, 0)
		f.Data = h.flipped(f.Data)
		return []*relay.Frame{announce, f}
	})},
	{"a wrong proof", 1, said(func(h *hat, s striped, announce *relay.Frame) []*relay.Frame {
		f := s.piece(relay.Relay, 1)
		f.Proof = h.bytes(32)
		return []*relay.Frame{announce, f}
	})},
	{"a piece of another block", 1, said(func(h *hat, s striped, announce *relay.Frame) []*relay.Frame {
		f := stripe(h.bare(h.net.ordered(2))).piece(relay.Relay, 0)
		f.Ref = s.ref
		return []*relay.Frame{announce, f}
	})},
	{"a piece in another's place", 1, said(func(h *hat, s striped, announce *relay.Frame) []*relay.Frame {
		f := s.piece(relay.Relay, 2)
		f.First = 3
		return []*relay.Frame{announce, f}
	})},
	{"a piece of another size", 1, said(func(h *hat, s striped, announce *relay.Frame) []*relay.Frame {
		f := s.piece(relay.Relay, 2)
		f.Data = append(f.Data, 0)
		return []*relay.Frame{announce, f}
	})},
	{"a forged block's announcement", 1, func(h *hat) []byte {
		a := h.next()
		return onRelay(h.net.channelTopic(topics.Announcements), stripe(a).announce(h.sealed(h.announced(a))))
	}},
	{"an announcement under a stolen record", 1, func(h *hat) []byte {
		a := h.bare(h.last())
		sealed := under(h.recordOf(h.somebody()), h.local.Signer, topics.Purpose, h.net.channelTopic(topics.Announcements), h.announced(a))
		return onRelay(h.net.channelTopic(topics.Announcements), stripe(a).announce(sealed))
	}},
	{"another channel's announcement", 1, func(h *hat) []byte {
		a := h.bare(h.last())
		sealed := h.sealedAs(topics.Purpose, topics.Name(topics.Announcements, otherChannel, make([]byte, 32)), h.announced(a))
		return onRelay(h.net.channelTopic(topics.Announcements), stripe(a).announce(sealed))
	}},
	{"an announcement on another channel", 0, func(h *hat) []byte {
		s, announce := h.striped(h.last())
		return onRelay(topics.Name(topics.Announcements, otherChannel, make([]byte, 32)), announce, s.piece(relay.Relay, 0))
	}},
	{"a false root, and what fits it", 0, func(h *hat) []byte {
		s := falsely(h.bare(h.last()))
		frames := []*relay.Frame{s.announce(h.sealed(h.announced(s.Announcement)))}
		for i := range s.tree.Count() {
			frames = append(frames, s.piece(relay.Relay, i))
		}
		return onRelay(h.net.channelTopic(topics.Announcements), frames...)
	}},
	{"a true root with a wrong size", 0, said(func(h *hat, s striped, _ *relay.Frame) []*relay.Frame {
		s.BodySize++
		lie := striped{s.Announcement, relay.RefOf(s.Header.Number, s.Root, s.BodySize), s.body, s.tree}
		return []*relay.Frame{lie.announce(h.sealed(h.announced(s.Announcement))), s.piece(relay.Relay, 0)}
	})},
	{"a false crown", 0, said(func(h *hat, s striped, announce *relay.Frame) []*relay.Frame {
		announce.Proof, announce.Targets = h.bytes(len(announce.Proof)), h.net.everybody()
		return []*relay.Frame{announce, s.piece(relay.Relay, 0)}
	})},
	{"pieces that others have announced", 0, said(func(h *hat, s striped, _ *relay.Frame) []*relay.Frame {
		return []*relay.Frame{s.piece(relay.Relay, 0), s.piece(relay.Probe, 1), s.piece(relay.Targeted, 2, h.net.everybody()...), s.piece(relay.WithinOrg, 3)}
	})},
	{"pieces for whom they are not", 0, said(func(h *hat, s striped, announce *relay.Frame) []*relay.Frame {
		f := s.piece(relay.Final, 1, h.net.everybody()[:8]...)
		return []*relay.Frame{announce, f, f, s.piece(relay.Targeted, 2, 1, 2, 3), s.piece(relay.Probed, 3)}
	})},
	{"one piece again and again", 0, said(func(h *hat, s striped, announce *relay.Frame) []*relay.Frame {
		frames := []*relay.Frame{announce}
		for range 300 {
			frames = append(frames, s.piece(relay.Relay, 0))
		}
		return frames
	})},
	{"pieces of nothing", 0, func(h *hat) []byte {
		var frames []*relay.Frame
		for range 100 {
			frames = append(frames, &relay.Frame{Kind: relay.Piece, Ref: relay.Ref(h.bytes(16)), Mode: relay.Relay, Count: 1, Data: h.bytes(1000)})
		}
		return onRelay(h.net.channelTopic(topics.Announcements), frames...)
	}},
	{"complaints about everything", 0, said(func(_ *hat, s striped, announce *relay.Frame) []*relay.Frame {
		return []*relay.Frame{announce, s.all(relay.Want), s.all(relay.Want), {Kind: relay.Want, Ref: s.ref}}
	})},
	{"cancels of everything for everybody", 0, said(func(h *hat, s striped, announce *relay.Frame) []*relay.Frame {
		return []*relay.Frame{s.all(relay.Cancel, h.net.everybody()...), announce, s.all(relay.Cancel, h.net.everybody()...)}
	})},
	{"reports that everything was late", 0, said(func(_ *hat, s striped, _ *relay.Frame) []*relay.Frame {
		return []*relay.Frame{s.all(relay.Done), {Kind: relay.Unready, Ref: s.ref}, {Kind: relay.Done, Ref: s.ref, Probed: true}}
	})},
	{"a frame of garbage", 1, func(h *hat) []byte {
		return append(onRelay("c"), lengthened(append([]byte{1, 0, 77}, h.bytes(100)...))...)
	}},
	{"a frame above the limit", 1, func(h *hat) []byte {
		return append([]byte{2}, binary.AppendUvarint(nil, relay.MaxFrame+1+h.random.Uint64N(1<<20))...)
	}},
	{"a frame of no channel", 1, func(h *hat) []byte {
		return append([]byte{2}, lengthened((&relay.Frame{Kind: relay.Unready}).Append([]byte{1, 7}))...)
	}},
}

// relays says things of one kind on relay streams to its peers, while a block is on its way over them. Each is held against
// who says it as often as it is wrong beyond doubt, and nothing against anybody else; of pieces, no more than 8 in a while are
// looked at.
func (f *forger) relays(r forgedRelay) {
	h := f.next(false)
	time.Sleep(50 * time.Millisecond) // the relays know it
	before := f.counted("weft_peer_faults_total", nil)
	for i := range perRelay {
		f.order(1, 20<<10, 0)
		if r.faults > 0 && i%2 == 0 { // it is judged as it would be at any time
			f.await(5*time.Second, f.peers...)
		}
		data := r.make(h)
		var mu sync.Mutex
		heard := map[*testPeer]bool{}
		h.each(func(p *testPeer) {
			answer, code := h.ask(p, relay.Protocol.ID, data)
			mu.Lock()
			defer mu.Unlock()
			heard[p] = len(answer) > 0 || code == network.StreamProtocolViolation
		})
		for p, ok := range heard {
			require.True(f.t, ok, "%s: peer %d did not listen", r.name, p.number)
		}
		f.inputs += len(h.audience)
		f.await(5*time.Second, f.peers...)
	}
	time.Sleep(2 * time.Second) // what was parked is judged or dropped
	faults := f.counted("weft_peer_faults_total", nil) - before
	require.LessOrEqual(f.t, faults, r.faults*perRelay*len(h.audience), "%s: somebody else is blamed", r.name)
	surely := r.faults * (perRelay + 1) / 2 * (len(h.audience) - 2) // who has forwarded a piece does not look at it again
	require.GreaterOrEqual(f.t, faults, surely, "%s: faults", r.name)
	require.NoError(f.t, h.host.Close())
}

// stripes are what a stranger says on relay streams about a channel: it announces true blocks, sends pieces of them and
// complains about everything.
func (s *stranger) stripes(scope string, sealed [][]byte) (all [][]byte) {
	t, n := s.net.t, s.net
	for _, number := range []uint64{2, n.orderer.Height() - 1} {
		a, err := topics.Announce(n.ordered(number))
		require.NoError(t, err)
		a.Data = nil
		content, err := a.Marshal()
		require.NoError(t, err)
		own, err := msp.Seal(topics.Purpose, scope, s.record, s.local.Signer, content)
		require.NoError(t, err)
		b := stripe(a)
		frames := []*relay.Frame{b.announce(marked(own)), b.announce(own), {Kind: relay.Want, Ref: b.ref}, b.all(relay.Want)}
		for _, message := range sealed {
			frames = append(frames, b.announce(message))
		}
		for i := range min(4, b.tree.Count()) {
			frames = append(frames, b.piece(relay.Relay, i), b.piece(relay.Final, i, n.everybody()[:1]...), b.piece(relay.WithinOrg, i))
		}
		made := falsely(a)
		copy(made.body, mark)
		frames = append(frames, made.piece(relay.Relay, 0), b.all(relay.Cancel, n.everybody()...), b.all(relay.Done), &relay.Frame{Kind: relay.Unready, Ref: b.ref})
		all = append(all, onRelay(scope, frames...))
	}
	return append(all, []byte{1}, onRelay(scope, &relay.Frame{Kind: relay.Piece, Count: 1, Data: mark}))
}
