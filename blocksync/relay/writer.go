// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// writer writes what the channels have for one peer on our streams to it, pieces in turns on those for data. Control frames go before pieces: QUIC
// sends of its streams in turns, and of those that were written first what fits into a burst, so that an announcement that is
// written a moment after the pieces would come 90 ms after the first of them (50 members, 1 MB, 100 Mbit/s): none can be
// forwarded before, and then all at once.
type writer struct {
	carrier *Carrier
	to      peer.ID
	flow    *flow
	data    []*outlet
	at      int            // in data
	share   turn           // of the channels, among pieces
	more    chan []*outlet // 1-buffered: for data, once

	// writing is full while control is written to. It is no mutex: writing waits for the network, and virtual time stands still
	// while somebody waits for a mutex.
	writing chan struct{}
	control *outlet
	first   turn // of the channels, among control frames
}

// outlet is one of the streams.
type outlet struct {
	*frameWriter
	stream network.Stream
	until  time.Time // its deadline
}

// newWriter makes a writer for streams, of which the first is for control.
func newWriter(c *Carrier, to peer.ID, flow *flow, streams []network.Stream) *writer {
	w := &writer{carrier: c, to: to, flow: flow, writing: make(chan struct{}, 1), more: make(chan []*outlet, 1)}
	all := w.outlets(streams)
	w.control, w.data = all[0], all[1:]
	return w
}

func (w *writer) outlets(streams []network.Stream) (all []*outlet) {
	for _, s := range streams {
		s := counted{s, w.flow}
		all = append(all, &outlet{frameWriter: newFrameWriter(s, &w.carrier.spare), stream: s})
	}
	return all
}

// urgent writes all control frames. Who calls it while they are being written waits until they are.
func (w *writer) urgent() error {
	w.writing <- struct{}{}
	defer func() { <-w.writing }()
	for {
		if more, err := w.write(w.control, &w.first, false); err != nil {
			return err
		} else if !more {
			return w.control.Flush()
		}
	}
}

// pieces writes all pieces, and before each what control frames there are by then.
func (w *writer) pieces() error {
	select {
	case more := <-w.more:
		w.data = append(w.data, more...)
	default:
	}
	for {
		if err := w.urgent(); err != nil {
			return err
		}
		if more, err := w.write(w.data[w.at], &w.share, true); err != nil {
			return err
		} else if !more {
			return w.flush()
		}
		w.at = (w.at + 1) % len(w.data)
	}
}

func (w *writer) flush() error {
	for _, o := range w.data {
		if err := o.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// write writes one frame; it reports false if there is none.
func (w *writer) write(to *outlet, t *turn, data bool) (bool, error) {
	scope, f := w.next(t, data)
	if f == nil {
		return false, nil
	}
	if now := time.Now(); to.until.Sub(now) < writeTime {
		to.until = now.Add(2 * writeTime)
		if err := to.stream.SetWriteDeadline(to.until); err != nil {
			return false, err
		}
	}
	return true, to.frame(scope, f)
}

// turnBytes is what a channel may send in its turn: what has begun is sent whole. Turns of single frames would let a channel
// with big blocks send a long piece for each short one of a channel with small blocks.
const turnBytes = pieceMax

// turn is whose of the channels it is, and how many more bytes that one may send.
type turn struct{ at, left int }

// next is the next frame of the channels, in turns. A channel that has nothing ends its turn.
func (w *writer) next(t *turn, data bool) (string, *Frame) {
	channels := w.carrier.list()
	if len(channels) == 0 {
		return "", nil
	}
	for range len(channels) + 1 { // the first may be at its end
		if t.left > 0 {
			ch := channels[t.at%len(channels)]
			if f := ch.next(w.to, data); f != nil {
				t.left -= f.Size()
				return ch.Scope, f
			}
		}
		t.at, t.left = t.at+1, turnBytes
	}
	return "", nil
}
