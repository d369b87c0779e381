// SPDX-License-Identifier: Apache-2.0

package block

import (
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Field numbers of common.Block and the messages in it.
const (
	blockHeader   = 1
	blockData     = 2
	blockMetadata = 3

	headerNumber   = 1
	headerPrevious = 2
	headerData     = 3

	entries = 1 // of common.BlockData and common.BlockMetadata

	metadataValue      = 1
	metadataSignatures = 2

	signatureHeader     = 1
	signatureSignature  = 2
	signatureIdentifier = 3
)

// Decode reads a marshalled common.Block, with the verdict and the result of proto.Unmarshal. It takes raw over: where raw
// is the canonical encoding of what is vouched for, as every node of weft sends it, nothing is copied and the block lies
// in raw, which must not be changed any more. Any other encoding is copied, so that a block never holds on to bytes that
// are not its own.
func Decode(raw []byte) (*common.Block, error) {
	if b, ok := decodeInPlace(raw); ok {
		return b, nil
	}
	b := &common.Block{}
	if err := proto.Unmarshal(raw, b); err != nil {
		return nil, err
	}
	return b, nil
}

// decodeInPlace gives up on whatever is not canonical: no other encoding of a block is as short.
func decodeInPlace(raw []byte) (*common.Block, bool) {
	b := &common.Block{}
	ok := walk(raw, func(f field) bool {
		switch {
		case f.is(blockHeader) && b.Header == nil:
			b.Header = &common.BlockHeader{}
			return headerInPlace(f.content, b.Header)
		case f.is(blockData) && b.Data == nil:
			b.Data = &common.BlockData{}
			return entriesInPlace(f.content, &b.Data.Data)
		case f.is(blockMetadata) && b.Metadata == nil:
			b.Metadata = &common.BlockMetadata{}
			return entriesInPlace(f.content, &b.Metadata.Metadata)
		}
		return false
	})
	return b, ok && onlyOrderers(b.Metadata) && proto.Size(b) == len(raw)
}

// DecodeData reads the canonical encoding of common.BlockData, which it takes over: the transactions lie in raw, which must not
// be changed any more. It reports false for any other encoding.
func DecodeData(raw []byte) (*common.BlockData, bool) {
	d := &common.BlockData{}
	ok := entriesInPlace(raw, &d.Data)
	return d, ok && proto.Size(d) == len(raw)
}

// onlyOrderers says whether the entries that belong to peers are empty.
func onlyOrderers(md *common.BlockMetadata) bool {
	all := md.GetMetadata()
	return !slices.ContainsFunc(all[min(entryLastConfig+1, len(all)):], func(e []byte) bool { return len(e) > 0 })
}

func headerInPlace(raw []byte, h *common.BlockHeader) bool {
	return walk(raw, func(f field) bool {
		switch {
		case f.number == headerNumber && f.kind == protowire.VarintType:
			h.Number = f.value
		case f.is(headerPrevious):
			h.PreviousHash = f.content
		case f.is(headerData):
			h.DataHash = f.content
		default:
			return false
		}
		return true
	})
}

// entriesInPlace reads a message that is a list of byte strings.
func entriesInPlace(raw []byte, list *[][]byte) bool {
	n := 0
	if !walk(raw, func(f field) bool { n++; return f.is(entries) }) {
		return false
	}
	*list = make([][]byte, 0, n)
	return walk(raw, func(f field) bool {
		*list = append(*list, f.content)
		return true
	})
}

// signaturesInPlace is decodeInPlace for metadata entry 0.
func signaturesInPlace(raw []byte) (*common.Metadata, bool) {
	n := 0
	ok := walk(raw, func(f field) bool {
		if f.is(metadataSignatures) {
			n++
		}
		return n <= MaxSignatures
	})
	if !ok {
		return nil, false
	}
	md, signatures := &common.Metadata{}, make([]common.MetadataSignature, n)
	ok = walk(raw, func(f field) bool {
		switch {
		case f.is(metadataValue):
			md.Value = f.content
			return true
		case f.is(metadataSignatures):
			s := &signatures[len(md.Signatures)]
			md.Signatures = append(md.Signatures, s)
			return signatureInPlace(f.content, s)
		}
		return false
	})
	return md, ok && proto.Size(md) == len(raw)
}

func signatureInPlace(raw []byte, s *common.MetadataSignature) bool {
	return walk(raw, func(f field) bool {
		switch {
		case f.is(signatureHeader):
			s.SignatureHeader = f.content
		case f.is(signatureSignature):
			s.Signature = f.content
		case f.is(signatureIdentifier):
			s.IdentifierHeader = f.content
		default:
			return false
		}
		return true
	})
}

// Creator returns the creator in a marshalled common.SignatureHeader, nil when it names none. It points into raw. The error is that of
// proto.Unmarshal for bytes that are no such header.
func Creator(raw []byte) ([]byte, error) { return last(raw, creator) }

// creator is a field number of common.SignatureHeader.
const creator = 1

// walk shows the fields of msg in order, until visit has seen enough. It says whether all were seen and could be read.
func walk(msg []byte, visit func(field) bool) bool {
	for len(msg) > 0 {
		f, err := next(msg)
		if err != nil || !visit(f) {
			return false
		}
		msg = msg[f.size:]
	}
	return true
}
