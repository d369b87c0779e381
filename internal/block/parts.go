// SPDX-License-Identifier: Apache-2.0

package block

import (
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
)

// ErrParts says that a marshalled block is not made of one header, one data and one metadata.
var ErrParts = errors.New("block: not one header, data and metadata")

// Parts are what a marshalled block is made of. The slices are those of the block, each a field with its tag, for putting the block
// together again without encoding it.
type Parts struct {
	Raw    []byte // the whole
	Header *common.BlockHeader

	RawHeader, RawData, RawMetadata []byte
	Data, Metadata                  []byte // marshalled common.BlockData, common.BlockMetadata
}

// Split takes a marshalled block apart and decodes nothing but the header. The error is ErrParts.
func Split(raw []byte) (Parts, error) {
	p := Parts{Raw: raw}
	seen := [4]int{}
	for rest := raw; len(rest) > 0; {
		f, err := next(rest)
		if err != nil {
			return Parts{}, fmt.Errorf("%w: %w", ErrParts, err)
		}
		whole := rest[:f.size:f.size]
		rest = rest[f.size:]
		switch {
		case f.is(blockHeader):
			p.RawHeader, p.Header = whole, &common.BlockHeader{}
			if headerInPlace(f.content, p.Header) {
				break
			}
			if err := proto.Unmarshal(f.content, p.Header); err != nil {
				return Parts{}, fmt.Errorf("%w: header: %w", ErrParts, err)
			}
		case f.is(blockData):
			p.RawData, p.Data = whole, f.content
		case f.is(blockMetadata):
			p.RawMetadata, p.Metadata = whole, f.content
		default:
			return Parts{}, fmt.Errorf("%w: field %d", ErrParts, f.number)
		}
		seen[f.number]++
	}
	if seen != [4]int{0, 1, 1, 1} {
		return Parts{}, fmt.Errorf("%w: there are %d, %d, %d", ErrParts, seen[blockHeader], seen[blockData], seen[blockMetadata])
	}
	return p, nil
}

// Transactions returns the marshalled envelopes. They point into the block.
func (p Parts) Transactions() ([][]byte, error) {
	var txs [][]byte
	err := each(p.Data, entries, func(tx []byte) error {
		txs = append(txs, tx)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: data: %w", ErrParts, err)
	}
	return txs, nil
}

// IsConfig says whether it is a configuration block; see the function of that name.
func (p Parts) IsConfig() bool {
	txs, err := p.Transactions()
	return err == nil && HasConfig(txs)
}
