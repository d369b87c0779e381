// SPDX-License-Identifier: Apache-2.0

package block

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a protobuf message as it lies on the wire; content is set for length-delimited fields only and
// points into the message, value for varints only.
type field struct {
	number  protowire.Number
	kind    protowire.Type
	content []byte
	value   uint64
	tag     int // bytes of the tag
	size    int // of the whole field, tag included
}

// is says whether the field is the length-delimited field number n. A known number with another wire type is an
// unknown field to protobuf, and so it is here.
func (f field) is(n protowire.Number) bool {
	return f.number == n && f.kind == protowire.BytesType
}

// next reads the first field of msg, with the verdict of protobuf's own decoder about what is decodable.
func next(msg []byte) (field, error) {
	number, kind, tag := protowire.ConsumeTag(msg)
	if tag < 0 {
		return field{}, fmt.Errorf("field tag: %w", protowire.ParseError(tag))
	}
	if number > protowire.MaxValidNumber {
		return field{}, fmt.Errorf("field number %d is out of range", number)
	}
	f := field{number: number, kind: kind, tag: tag}
	var size int
	switch kind {
	case protowire.BytesType:
		f.content, size = protowire.ConsumeBytes(msg[tag:])
		f.content = slices.Clip(f.content) // whoever appends to it does not write into what follows
	case protowire.VarintType:
		f.value, size = protowire.ConsumeVarint(msg[tag:])
	default:
		size = protowire.ConsumeFieldValue(number, kind, msg[tag:])
	}
	if size < 0 {
		return field{}, fmt.Errorf("field %d: %w", number, protowire.ParseError(size))
	}
	f.size = tag + size
	return f, nil
}

// Body returns the encoded Data of an encoded block, without a copy; nil when there is none.
func Body(raw []byte) ([]byte, error) {
	return last(raw, blockData)
}

// each calls visit for every occurrence of the length-delimited field number n, and reads msg to its end.
func each(msg []byte, n protowire.Number, visit func(content []byte) error) error {
	for len(msg) > 0 {
		f, err := next(msg)
		if err != nil {
			return err
		}
		if f.is(n) {
			if err := visit(f.content); err != nil {
				return err
			}
		}
		msg = msg[f.size:]
	}
	return nil
}

// last returns the last occurrence of the length-delimited field number n, the one that protobuf keeps; nil when
// there is none.
func last(msg []byte, n protowire.Number) (content []byte, err error) {
	err = each(msg, n, func(c []byte) error {
		content = c
		return nil
	})
	return content, err
}
