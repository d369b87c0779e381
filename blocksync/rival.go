// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"bytes"

	"github.com/weft-p2p/weft/internal/block"
)

// rivals reports the other candidates for the number of a block that has been verified.
func (s *Sync) rivals(c Candidate, others []Candidate) {
	if len(others) == 0 {
		return
	}
	hash := block.HeaderHash(c.Block.Header)
	for _, other := range others {
		if !bytes.Equal(block.HeaderHash(other.Block.Header), hash) && bytes.Equal(other.Block.Header.PreviousHash, c.Block.Header.PreviousHash) {
			s.rival(other)
		}
	}
}

// late reports a block whose number is committed already, or about to be, if it is another one.
func (s *Sync) late(c Candidate) {
	h := c.Block.Header
	if s.Rival == nil || h.Number == 0 {
		return
	}
	if ours := s.HashAt(h.Number); ours == nil || bytes.Equal(ours, block.HeaderHash(h)) {
		return
	}
	if bytes.Equal(h.PreviousHash, s.HashAt(h.Number-1)) {
		s.rival(c)
	}
}

func (s *Sync) rival(c Candidate) {
	if s.Rival != nil {
		s.Rival(c.Block, c.From)
	}
}
