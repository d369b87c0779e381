// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"encoding/binary"
	"fmt"

	"github.com/weft-p2p/weft/internal/leaves"
	"github.com/weft-p2p/weft/internal/stream"
)

// Limits of a frame.
const (
	// MaxFrame is the longest frame, in bytes: an announcement with the metadata of a hundred orderers.
	MaxFrame = 1 << 20
	// MaxData is how many bytes of leaves a piece has at most.
	MaxData = 64 << 10
	// maxTargetsOnWire is how many members a frame names at most.
	maxTargetsOnWire = 1024
	// maxWords is how long a bitmap is at most, in words of 64 leaves: a body of 100 MiB has 12,800.
	maxWords = 256
)

// ErrFrame says that a frame cannot have been written by an honest peer.
var ErrFrame = fmt.Errorf("relay: malformed frame: %w", stream.ErrNonsense)

// Append appends the encoding of the frame, without its length.
func (f *Frame) Append(dst []byte) []byte {
	flags := byte(f.Mode)
	if f.Probed {
		flags |= 0x80
	}
	dst = append(dst, byte(f.Kind), flags)
	dst = append(dst, f.Ref[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(f.Targets)))
	for _, t := range f.Targets {
		dst = binary.BigEndian.AppendUint64(dst, uint64(t))
	}
	switch f.Kind {
	case Announce:
		dst = binary.AppendUvarint(dst, uint64(len(f.Proof)))
		dst = append(dst, f.Proof...)
		dst = append(dst, f.Data...)
	case Want, Cancel, Done:
		dst = appendBitmap(dst, f.Missing)
		dst = appendBitmap(dst, f.Have)
	case Piece:
		dst = binary.AppendUvarint(dst, uint64(f.First))
		dst = binary.AppendUvarint(dst, uint64(f.Count))
		dst = append(dst, byte(len(f.Proof)/leaves.HashSize))
		dst = append(dst, f.Proof...)
		dst = append(dst, f.Data...)
	}
	return dst
}

func appendBitmap(dst []byte, b Bitmap) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	for _, w := range b {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	return dst
}

// Decode decodes a frame, whose proof and data lie in raw. It returns [ErrFrame] for what breaks a limit.
func Decode(raw []byte) (*Frame, error) {
	if len(raw) > MaxFrame {
		return nil, fmt.Errorf("%w: %d bytes", ErrFrame, len(raw))
	}
	r := reader{rest: raw}
	f := &Frame{Kind: Kind(r.byte())}
	flags := r.byte()
	f.Mode, f.Probed = Mode(flags&0x7f), flags&0x80 != 0
	copy(f.Ref[:], r.take(len(f.Ref)))
	for range r.number(maxTargetsOnWire) {
		f.Targets = append(f.Targets, Short(r.word(binary.BigEndian)))
	}
	switch f.Kind {
	case Announce:
		f.Proof = r.take(r.number(leaves.CrownMax * leaves.HashSize))
		f.Data, r.rest = r.rest, nil
	case Want, Cancel, Done:
		f.Missing, f.Have = r.bitmap(), r.bitmap()
	case Unready, Tail:
	case Piece:
		f.First, f.Count = r.number(maxWords*64), r.number(maxWords*64)
		f.Proof = r.take(int(r.byte()) * leaves.HashSize)
		f.Data, r.rest = r.rest, nil
		r.bad = r.bad || len(f.Data) > MaxData || !f.Mode.known()
	default:
		r.bad = true
	}
	if r.bad || len(r.rest) > 0 {
		return nil, fmt.Errorf("%w: kind %d of %d bytes", ErrFrame, f.Kind, len(raw))
	}
	return f, nil
}

// reader takes a frame apart; after a fault it yields nothing.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.rest) {
		r.bad, r.rest = true, nil
		return nil
	}
	out := r.rest[:n:n]
	r.rest = r.rest[n:]
	if n == 0 {
		return nil
	}
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) word(order binary.ByteOrder) uint64 {
	if b := r.take(8); b != nil {
		return order.Uint64(b)
	}
	return 0
}

// number is a number up to most.
func (r *reader) number(most int) int {
	v, n := binary.Uvarint(r.rest)
	if r.bad || n <= 0 || v > uint64(most) {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return int(v)
}

func (r *reader) bitmap() (b Bitmap) {
	n := r.number(maxWords)
	if n*8 > len(r.rest) {
		r.bad = true
		return nil
	}
	for range n {
		b = append(b, r.word(binary.LittleEndian))
	}
	return b
}
