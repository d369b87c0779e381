// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"context"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// Submit hands over a block of our own source and waits until there is room for it: that is the back-pressure to the
// ordering service. It returns nil when the block is stored or not needed any more, ctx's error, [ErrStopped] when Run has
// ended, or [ErrRejected] when a block of our own source did not hold: at once if this one is another than we have committed,
// else once after the verdict, for which [Sync.Refused] waits. Then the source has to begin again: see [Sync.Settle].
func (s *Sync) Submit(ctx context.Context, b *common.Block) error {
	c, err := candidate(b, "")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRejected, err)
	}
	s.tally.received(FromSource, c.Size)
	for {
		outcome, moved, err := s.submit(c)
		if outcome == Stale && err == nil {
			s.late(c)
			return s.contradicts(c)
		}
		if err != nil || outcome != Full && outcome != Beyond {
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

func (s *Sync) submit(c Candidate) (Outcome, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.fault; f != nil {
		s.fault = nil
		if c.Block.Header.GetNumber() > f.number { // otherwise the source has begun again already
			return Stale, nil, f.err
		}
	}
	outcome := s.buffer.Add(c)
	if outcome == Stored {
		s.stored(c.Block.Header.Number)
	}
	s.metrics.buffered(s.buffer.Len())
	return outcome, s.moved, nil
}

// Offer hands over a block that a peer brought: that we asked for, or whose header has been verified. It never waits; what is
// not stored can be fetched again.
func (s *Sync) Offer(b *common.Block, from peer.ID) Outcome { return s.offer(b, from, false, nil) }

// OfferExamined is Offer of a block that was examined, normalized as it is stored, so that the writer need not do it again.
func (s *Sync) OfferExamined(e channelconfig.Examined, from peer.ID) Outcome {
	return s.offer(e.Block(), from, false, examined(e))
}

// Park hands over a block that nobody asked for and that does not link to a header that we know, yet. It is tried at its
// turn. What a peer has to park that has lied lately is not taken.
func (s *Sync) Park(b *common.Block, from peer.ID) Outcome { return s.offer(b, from, true, nil) }

func (s *Sync) offer(b *common.Block, from peer.ID, parked bool, e *examination) Outcome {
	c, err := candidate(b, from)
	if err != nil {
		return Unusable
	}
	c.Parked, c.Owner, c.ahead = parked, s.ownerOf(from), e
	outcome := s.store(c)
	if outcome == Stale {
		s.late(c)
	}
	return outcome
}

func (s *Sync) store(c Candidate) Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	outcome := Full
	if !c.Parked || !s.planner.distrusts(c.From) {
		outcome = s.buffer.Add(c)
	}
	if outcome == Stored {
		s.stored(c.Block.Header.Number)
		wake(s.replan)
	}
	s.metrics.buffered(s.buffer.Len())
	return outcome
}

// ownerOf is whom a peer counts as.
func (s *Sync) ownerOf(id peer.ID) fair.Owner {
	if s.Owner == nil {
		return alone(id)
	}
	return s.Owner(id)
}

// candidate takes from b what is vouched for, and leaves b alone: metadata is normalized, and fields that protobuf does not
// know, which no hash and no signature covers, stay behind.
func candidate(b *common.Block, from peer.ID) (Candidate, error) {
	if b.GetHeader() == nil {
		return Candidate{}, errNoHeader
	}
	h := b.Header
	clean := &common.Block{
		Header:   &common.BlockHeader{Number: h.Number, PreviousHash: h.PreviousHash, DataHash: h.DataHash},
		Data:     &common.BlockData{Data: b.GetData().GetData()},
		Metadata: b.Metadata,
	}
	if err := block.Normalize(clean); err != nil {
		return Candidate{}, err
	}
	return Candidate{Block: clean, From: from, Size: proto.Size(clean)}, nil
}

var errNoHeader = errors.New("blocksync: block without a header")
