// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"crypto/sha256"

	"github.com/weft-p2p/weft/internal/leaves"
)

// Sum is the parity of one body. The zero value is none.
type Sum struct {
	Shards int
	Root   [sha256.Size]byte // of the tree over it (package leaves)

	// Body is the parity itself, and Tree the tree over it; only at who made it.
	Body []byte
	Tree *leaves.Tree
}

// Make makes so many shards of parity of a body. It returns [ErrCode] beyond the limits.
func Make(body []byte, shards int) (Sum, error) {
	code, err := New(len(body), shards)
	if err != nil {
		return Sum{}, err
	}
	s := Sum{Shards: shards}
	if s.Body, err = code.Encode(body); err != nil {
		return Sum{}, err
	}
	s.Tree = leaves.Build(s.Body)
	s.Root = s.Tree.Root()
	return s, nil
}

// None says that there is no parity.
func (s Sum) None() bool { return s.Shards == 0 }

// Size is the size of the parity in bytes.
func (s Sum) Size() int { return s.Shards * Shard }
