// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// A batch shares one sync of the disk; it is what is there, up to these bounds, and never waited for.
const (
	batchBlocks = 64
	batchBytes  = 8 << 20
)

// write is the one writer: it verifies the candidates for the next number, commits those that hold, and goes on.
func (s *Sync) write(ctx context.Context) error {
	for {
		batch, err := s.next()
		if err != nil {
			return err
		}
		if len(batch.blocks) > 0 {
			if err := s.commit(batch); err != nil {
				return err
			}
			continue
		}
		select {
		case <-s.wakeup:
		case <-ctx.Done():
			return nil
		}
	}
}

// batch is a run of verified blocks.
type batch struct {
	blocks  []*common.Block
	from    []peer.ID // who brought them; empty: our own source
	bytes   int
	changed *channelconfig.Bundle // the configuration after the last block, if that is a configuration block; no other is
}

// fromUs is how many blocks of the batch our own source brought.
func (b batch) fromUs() (n int) {
	for _, id := range b.from {
		if id == "" {
			n++
		}
	}
	return n
}

// next verifies what is there from the next number on.
func (s *Sync) next() (batch, error) {
	var b batch
	for len(b.blocks) < batchBlocks && b.bytes < batchBytes {
		c, ok := s.verified()
		if !ok {
			break
		}
		if s.Verified != nil {
			s.Verified(c.Block, c.From)
		}
		before := s.Verifier.Bundle()
		if err := s.Verifier.Advance(c.Block); err != nil {
			return b, fmt.Errorf("advance past block %d: %w", c.Block.Header.Number, err)
		}
		b.blocks, b.from = append(b.blocks, c.Block), append(b.from, c.From)
		b.bytes += c.Size
		if after := s.Verifier.Bundle(); after != before {
			b.changed = after
			break // who may see the blocks behind it is known when Committed returns
		}
	}
	return b, nil
}

// verified returns the first candidate for the verifier's next number that verifies. Those before it are held against who
// brought them.
func (s *Sync) verified() (Candidate, bool) {
	candidates := s.comeTo(s.Verifier.Next())
	for i, c := range candidates {
		err := s.judge(c)
		if err == nil {
			s.rivals(c, candidates[i+1:])
			return c, true
		}
		s.reject(c, err)
	}
	return Candidate{}, false
}

// reject drops all that the source of a bad block has brought: whoever forges one block forges others.
func (s *Sync) reject(c Candidate, why error) {
	number := c.Block.Header.Number
	if !errors.Is(why, channelconfig.ErrNumber) && !errors.Is(why, channelconfig.ErrPreviousHash) && !errors.Is(why, channelconfig.ErrSignatures) {
		s.rival(c) // its header may be signed
	}
	s.metrics.rejected()
	s.Log.Debug("block rejected", "number", number, "peer", c.From, "err", why)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.From == "" {
		s.refuse(number, why)
	} else {
		s.buffer.Forget(c.From)
		s.planner.Lied(time.Now(), c.From)
	}
	s.announceMove()
	wake(s.replan)
}

// announceMove wakes everybody who waits for the height or for room. The lock is held.
func (s *Sync) announceMove() {
	s.metrics.buffered(s.buffer.Len())
	close(s.moved)
	s.moved = make(chan struct{})
}

// commit appends the batch and tells everybody.
func (s *Sync) commit(b batch) error {
	end := b.blocks[0].Header.Number + uint64(len(b.blocks))
	s.mu.Lock()
	s.ending, s.due, s.inForce = end, end-1, s.Verifier.Bundle() // what comes next may be examined meanwhile
	wake(s.ahead)
	s.mu.Unlock()
	start := time.Now()
	if err := s.Ledger.Append(b.blocks...); err != nil {
		return fmt.Errorf("commit blocks %d to %d of channel %s: %w", b.blocks[0].Header.Number, end-1, s.Channel, err)
	}
	s.metrics.committed(end, len(b.blocks), b.fromUs(), time.Since(start))
	s.tally.committed(b.bytes)
	s.advance(b, end)
	if s.Committed != nil {
		s.Committed(end, b.changed)
	}
	return nil
}

func (s *Sync) advance(b batch, height uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, committed := range b.blocks {
		if expected := s.tip.HashAt(committed.Header.Number); expected != nil && !bytes.Equal(expected, block.HeaderHash(committed.Header)) {
			s.tip.Reset()
		}
	}
	s.at = Position{Height: height, Head: s.Verifier.PreviousHash(), Bundle: s.Verifier.Bundle()}
	s.size = proto.Size(b.blocks[len(b.blocks)-1])
	s.buffer.Advance(height)
	s.tip.Advance(height)
	for _, id := range b.from {
		s.planner.Proved(id)
	}
	s.planner.Expect(s.size)
	s.planner.Committed(time.Now(), height)
	for f, cancel := range s.flights {
		if f.To < height {
			cancel()
		}
	}
	s.announceMove()
	wake(s.replan)
}
