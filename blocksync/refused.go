// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"bytes"
	"context"
	"fmt"

	"github.com/weft-p2p/weft/internal/block"
)

// fault is a block of our own source that is not of our chain.
type fault struct {
	number uint64
	err    error
}

// Refused waits until a block of our own source turns out not to be of our chain, and says what is wrong with it: an error that
// wraps [ErrRejected]. It leaves it to [Sync.Submit] or [Sync.Settle] to end the matter. It returns ctx's error when that ends
// before, and [ErrStopped] when Run has.
func (s *Sync) Refused(ctx context.Context) error {
	return s.await(ctx, func() (bool, error) {
		if s.fault == nil {
			return false, nil
		}
		return true, s.fault.err
	})
}

// Settle waits until everything that our own source has brought is judged, and what holds is committed: then the source can
// begin again at the height, brings nothing twice, and is blamed for nothing that another brought. It returns [ErrRejected] if
// a block did not hold and nobody has been told, ctx's error, or [ErrStopped]. Nobody submits meanwhile.
func (s *Sync) Settle(ctx context.Context) error {
	return s.await(ctx, func() (bool, error) {
		if s.at.Height < s.settled || s.fault == nil && s.ours(s.at.Height) {
			return false, nil
		}
		s.buffer.Forget("") // what came behind the block that did not hold
		f := s.fault
		if s.fault = nil; f == nil {
			return true, nil
		}
		return true, f.err
	})
}

// ours says whether our own source has brought a candidate for a number. The lock is held.
func (s *Sync) ours(number uint64) bool {
	for _, c := range s.buffer.At(number) {
		if c.From == "" {
			return true
		}
	}
	return false
}

// await calls look, with the lock held, until it is done: now, and whenever blocks are committed or dropped.
func (s *Sync) await(ctx context.Context, look func() (done bool, err error)) error {
	for {
		s.mu.Lock()
		done, err := look()
		moved := s.moved
		s.mu.Unlock()
		if done {
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stopped:
			return ErrStopped
		}
	}
}

// refuse notes that a block of our own source does not hold, and drops what it has brought behind it. The lock is held.
func (s *Sync) refuse(number uint64, why error) {
	s.buffer.Forget("")
	s.fault = &fault{number, fmt.Errorf("%w: %w", ErrRejected, why)}
	s.settled = number
}

// contradicts says what is wrong with a block of our own source whose number is committed already: nothing if it is the one.
func (s *Sync) contradicts(c Candidate) error {
	h := c.Block.Header
	if ours := s.HashAt(h.Number); ours == nil || bytes.Equal(ours, block.HeaderHash(h)) {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrRejected, s.otherThanOurs(h.Number))
}

func (s *Sync) otherThanOurs(number uint64) error {
	return fmt.Errorf("it brings another block %d than the one that this chain has", number)
}
