// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"context"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/msp/channelconfig"
)

// examination is a block that somebody examines ahead of its turn, while the writer is at those before it.
type examination struct {
	block *common.Block
	under *channelconfig.Bundle // in force where the writer was
	done  chan struct{}         // closed when what follows is set

	result channelconfig.Examined
}

// examined is an examination that is over.
func examined(result channelconfig.Examined) *examination {
	e := &examination{done: make(chan struct{}), result: result}
	close(e.done)
	return e
}

func (e *examination) run() {
	e.result = channelconfig.Examine(e.block, e.under)
	close(e.done)
}

// refused says whether the examination is over and the block was found bad.
func (e *examination) refused() bool {
	select {
	case <-e.done:
		return e.result.Refused()
	default:
		return false
	}
}

// examineAhead examines candidates that are not due yet, one at a time, until ctx ends: those that are there, in the order in
// which the writer will come to them. It only saves the writer time; the verdict is the writer's, at the block's turn.
func (s *Sync) examineAhead(ctx context.Context) {
	for {
		if e := s.takeAhead(); e != nil {
			e.run()
			continue
		}
		select {
		case <-s.ahead:
		case <-ctx.Done():
			return
		}
	}
}

// takeAhead takes the nearest candidate above where the writer is, one for a number: the others count only if that one is
// refused. Where one was refused, what its source has brought beyond it will hardly be needed.
func (s *Sync) takeAhead() *examination {
	s.mu.Lock()
	defer s.mu.Unlock()
	var refused []peer.ID
	for number := s.due + 1; number <= s.due+batchBlocks; number++ {
		slot := s.buffer.At(number)
		if len(slot) == 0 || slices.Contains(refused, slot[0].From) {
			continue
		}
		c := &slot[0]
		if c.ahead == nil {
			c.ahead = &examination{block: c.Block, under: s.inForce, done: make(chan struct{})}
			wake(s.ahead) // there may be more, for another worker
			return c.ahead
		}
		if c.ahead.refused() {
			refused = append(refused, c.From)
		}
	}
	return nil
}

// stored wakes whoever has to do with a candidate that came in: the writer, and the workers if it is not the writer's turn to
// judge it. The lock is held.
func (s *Sync) stored(number uint64) {
	wake(s.wakeup)
	if number > s.due {
		wake(s.ahead)
	}
}

// comeTo says that the writer judges the candidates for a number now, under the configuration in force there, and returns
// them.
func (s *Sync) comeTo(number uint64) []Candidate {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due, s.inForce = number, s.Verifier.Bundle()
	if s.buffer.Has(number + batchBlocks) { // it has come within reach
		wake(s.ahead)
	}
	return slices.Clone(s.buffer.At(number))
}

// judge verifies a candidate at its turn. What was examined ahead counts as far as it holds under the configuration that is
// in force now.
func (s *Sync) judge(c Candidate) error {
	if c.ahead == nil {
		return s.Verifier.Verify(c.Block)
	}
	<-c.ahead.done
	return s.Verifier.VerifyExamined(c.ahead.result)
}
