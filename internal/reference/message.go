// SPDX-License-Identifier: Apache-2.0

package reference

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// kind is what a message of Fabric's gossip is for.
type kind byte

const (
	push     kind = iota + 1 // a block
	hello                    // what have you got?
	digest                   // these numbers
	request                  // give me these
	response                 // blocks
)

// item is a block, or the number of one.
type item struct {
	number uint64
	body   []byte
}

// message is one frame on a stream: length, kind, nonce, items. Fabric's are protobuf with a signature and a channel's MAC in
// them, about 200 bytes more.
type message struct {
	kind  kind
	nonce uint64 // of a pull; 0 with push
	items []item
}

const (
	frameHead = 4 + 1 + 8
	itemHead  = 8 + 4
)

var errFrame = errors.New("reference: malformed frame")

func (m message) frame() []byte {
	size := frameHead
	for _, i := range m.items {
		size += itemHead + len(i.body)
	}
	f := binary.BigEndian.AppendUint32(make([]byte, 0, size), uint32(size-4))
	f = append(f, byte(m.kind))
	f = binary.BigEndian.AppendUint64(f, m.nonce)
	for _, i := range m.items {
		f = binary.BigEndian.AppendUint64(f, i.number)
		f = binary.BigEndian.AppendUint32(f, uint32(len(i.body)))
		f = append(f, i.body...)
	}
	return f
}

// readMessage reads one frame.
func readMessage(r io.Reader) (m message, err error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return m, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n < frameHead-4 || n > maxMessage {
		return m, fmt.Errorf("%w: %d bytes", errFrame, n)
	}
	rest := make([]byte, n)
	if _, err := io.ReadFull(r, rest); err != nil {
		return m, err
	}
	m.kind, m.nonce = kind(rest[0]), binary.BigEndian.Uint64(rest[1:])
	for rest = rest[frameHead-4:]; len(rest) > 0; {
		if len(rest) < itemHead || uint64(len(rest)-itemHead) < uint64(binary.BigEndian.Uint32(rest[8:])) {
			return m, fmt.Errorf("%w: an item is cut off", errFrame)
		}
		end := itemHead + int(binary.BigEndian.Uint32(rest[8:]))
		m.items = append(m.items, item{binary.BigEndian.Uint64(rest), rest[itemHead:end]})
		rest = rest[end:]
	}
	return m, nil
}
