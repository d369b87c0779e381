// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"bytes"

	"github.com/weft-p2p/weft/internal/block"
)

// rivals reports the other candidates for the number of a block that has been verified. Our own source is on another chain, if
// one is its.
func (s *Sync) rivals(c Candidate, others []Candidate) {
	if len(others) == 0 {
		return
	}
	h, hash := c.Block.Header, block.HeaderHash(c.Block.Header)
	for _, other := range others {
		if bytes.Equal(block.HeaderHash(other.Block.Header), hash) {
			continue
		}
		if bytes.Equal(other.Block.Header.PreviousHash, h.PreviousHash) {
			s.rival(other)
		}
		if other.From == "" {
			s.strays(h.Number)
		}
	}
}

// strays notes that our own source has brought another block than the one that is about to be committed.
func (s *Sync) strays(number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse(number, s.otherThanOurs(number))
	s.announceMove()
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
