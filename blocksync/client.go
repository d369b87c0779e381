// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/blocksync/pb"
	"github.com/weft-p2p/weft/internal/stream"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// maxPeerID is the longest peer ID that an answer may name, in bytes.
const maxPeerID = 64

// ErrAnswer says that a server's answer is not one to the request: other blocks than asked for, or badly cut.
var ErrAnswer = errors.New("blocksync: answer does not fit the request")

// fetch makes the planner's requests until ctx ends, and waits for those under way. Whatever may change the plan leaves a
// token in replan; the timer is for what changes with time alone.
func (s *Sync) fetch(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		streaming := s.Streaming != nil && s.Streaming()
		s.mu.Lock()
		fetches, again := s.planner.Plan(time.Now(), streaming)
		s.mu.Unlock()
		if !again.IsZero() {
			timer.Reset(time.Until(again))
		}
		for _, f := range fetches {
			wg.Go(func() { s.do(ctx, f) })
		}
		select {
		case <-ctx.Done():
		case <-s.replan:
		case <-timer.C:
		}
	}
}

// do makes one request and tells the planner how it ended.
func (s *Sync) do(ctx context.Context, f Fetch) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.mu.Lock()
	s.flights[f] = func() { cancel(errLate) }
	limit := blockLimit(s.at.Bundle)
	announced := s.tip.HashAt(f.From) != nil
	s.mu.Unlock()

	var r Result
	err := errNotAllowed
	if s.MayAsk(f.Peer) {
		r, err = request(ctx, s.Host, s.Scope, f, limit, func(b *common.Block) Outcome { return s.fetched(f, b) })
	}
	if err != nil {
		s.Log.Debug("fetch", "peer", f.Peer, "from", f.From, "to", f.To, "got", r.Got, "err", err)
	}
	r.Failed, r.Lied, r.Late = err != nil, errors.Is(err, ErrAnswer), context.Cause(ctx) == errLate
	s.metrics.fetched(r)
	if !announced {
		s.tally.repaired(Unannounced, r.Got)
	}
	known := r.Elsewhere != "" && s.MayAsk(r.Elsewhere)
	s.plan(func(now time.Time) {
		delete(s.flights, f)
		s.planner.Done(now, f, r)
		if known {
			s.planner.Have(now, r.Elsewhere, f.From+1)
		}
	})
}

// fetched takes a block that a request has brought.
func (s *Sync) fetched(f Fetch, b *common.Block) Outcome {
	s.tally.received(ByRange, proto.Size(b))
	outcome := s.Offer(b, f.Peer)
	s.plan(func(now time.Time) { s.planner.Progress(now, f) })
	return outcome
}

var (
	errNotAllowed = errors.New("blocksync: peer may not be asked")
	errLate       = errors.New("blocksync: others have brought all that was asked for")
)

// blockLimit is the size above which a block is not taken, in bytes. Orderers keep to AbsoluteMaxBytes for the data of a
// block; a configuration block holds the configuration beside the update that made it. A limit that is raised by a
// configuration block applies once that is committed.
func blockLimit(b *channelconfig.Bundle) uint64 {
	return min(MaxBlock, 2*uint64(b.BatchSize().GetAbsoluteMaxBytes())+blockSlack)
}

// request asks one peer for a range and gives each block to take as it comes, until take has no room. It checks that each
// block is the next number and not above limit; whether it is the true block is judged at its turn.
func request(ctx context.Context, h host.Host, scope string, f Fetch, limit uint64, take func(*common.Block) Outcome) (r Result, err error) {
	s, err := stream.Open(ctx, h, f.Peer, Protocol)
	if err != nil {
		return r, err
	}
	defer func() {
		if err != nil {
			s.Reset(network.StreamNoError)
			return
		}
		_ = s.Close() // all is here, whatever became of the stream
	}()
	if err := s.Write(&pb.Request{Scope: scope, From: f.From, To: f.To}); err != nil {
		return r, err
	}
	if err := s.CloseWrite(); err != nil {
		return r, err
	}
	var head pb.Response
	if err := s.Read(&head); err != nil {
		return r, noEOF(err)
	}
	if r, err = decodeHead(&head); err != nil || r.Elsewhere != "" {
		return r, err
	}
	err = receive(s, f, limit, &r, take)
	return r, err
}

// decodeHead is what the beginning of an answer says.
func decodeHead(head *pb.Response) (r Result, err error) {
	r.Height = head.Height
	switch {
	case head.Status == pb.Status_STATUS_OK:
		return r, nil
	case head.Status != pb.Status_STATUS_ELSEWHERE:
		return r, fmt.Errorf("%w: %s", ErrStatus, head.Status)
	case len(head.Elsewhere) > maxPeerID:
		return r, fmt.Errorf("%w: elsewhere: %d bytes", ErrAnswer, len(head.Elsewhere))
	}
	if r.Elsewhere, err = peer.IDFromBytes(head.Elsewhere); err != nil {
		return r, fmt.Errorf("%w: elsewhere: %w", ErrAnswer, err)
	}
	return r, nil
}

// receive reads the blocks of an answer. A server may stop after any block, and has to after ResponseBytes.
func receive(s *stream.Stream, f Fetch, limit uint64, r *Result, take func(*common.Block) Outcome) error {
	for number, bytes := f.From, 0; number <= f.To && bytes < ResponseBytes; number++ {
		b, size, err := readBlock(s, number, limit)
		if errors.Is(err, io.EOF) && r.Got > 0 {
			return nil
		}
		if err != nil {
			return noEOF(err)
		}
		r.Got++
		bytes += size
		switch take(b) {
		case Full:
			r.Full = true
			return nil
		case Unusable:
			return fmt.Errorf("%w: block %d without header or with bad metadata", ErrAnswer, number)
		}
	}
	return nil
}

// ErrStatus says that a server refused a request; the text has its status.
var ErrStatus = errors.New("blocksync: request refused")

// badMessage tells a message that no honest server sends from a stream that broke.
func badMessage(err error) error {
	if errors.Is(err, stream.ErrTooLarge) || errors.Is(err, proto.Error) {
		return fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return err
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
