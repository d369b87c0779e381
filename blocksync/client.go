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
	"github.com/weft-p2p/weft/blocksync/pb"
	"github.com/weft-p2p/weft/internal/stream"
	"google.golang.org/protobuf/proto"
)

// ErrAnswer says that a server's answer is not one to the request: other blocks than asked for, or badly cut.
var ErrAnswer = errors.New("blocksync: answer does not fit the request")

// fetch makes the planner's requests until ctx ends, and waits for those under way.
func (s *Sync) fetch(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.replan:
		case <-timer.C:
		}
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
	}
}

// do makes one request and tells the planner how it ended.
func (s *Sync) do(ctx context.Context, f Fetch) {
	var r Result
	err := errNotAllowed
	if s.MayAsk(f.Peer) {
		r, err = request(ctx, s.Host, s.Scope, f, func(b *common.Block) { s.Offer(b, f.Peer) })
	}
	if r.Failed = err != nil; r.Failed {
		s.Log.Debug("fetch", "peer", f.Peer, "from", f.From, "to", f.To, "got", r.Got, "err", err)
	}
	s.metrics.fetched(r)
	s.plan(func(now time.Time) { s.planner.Done(now, f, r) })
}

var errNotAllowed = errors.New("blocksync: peer may not be asked")

// request asks one peer for a range and gives each block to take as it comes. It checks that each block is the next number;
// whether it is the true block is judged at its turn.
func request(ctx context.Context, h host.Host, scope string, f Fetch, take func(*common.Block)) (r Result, err error) {
	s, err := stream.Open(ctx, h, f.Peer, Protocol)
	if err != nil {
		return r, err
	}
	defer func() {
		if err != nil {
			s.Reset(network.StreamNoError)
			return
		}
		err = s.Close()
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
	r.Height = head.Height
	if head.Status != pb.Status_STATUS_OK {
		return r, fmt.Errorf("%w: %s", ErrStatus, head.Status)
	}
	for number := f.From; number <= f.To; number++ {
		b, err := readBlock(s, number)
		if errors.Is(err, io.EOF) && r.Got > 0 {
			return r, nil // a prefix: the server may stop after any block
		}
		if err != nil {
			return r, noEOF(err)
		}
		r.Got++
		take(b)
	}
	return r, nil
}

// ErrStatus says that a server refused a request; the text has its status.
var ErrStatus = errors.New("blocksync: request refused")

// readBlock reads the chunks of one block. It returns io.EOF if the stream ends before the first.
func readBlock(s *stream.Stream, number uint64) (*common.Block, error) {
	var raw []byte
	for size := uint64(1); uint64(len(raw)) < size; {
		var c pb.Chunk
		if err := s.Read(&c); err != nil {
			if len(raw) > 0 {
				return nil, noEOF(err)
			}
			return nil, err
		}
		if raw == nil {
			size = c.Size
		}
		if err := checkChunk(&c, number, size, uint64(len(raw))); err != nil {
			return nil, err
		}
		if raw == nil && uint64(len(c.Data)) == size {
			raw = c.Data
			break
		}
		raw = append(raw, c.Data...)
	}
	b := &common.Block{}
	if err := proto.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("%w: block %d: %w", ErrAnswer, number, err)
	}
	if b.GetHeader().GetNumber() != number {
		return nil, fmt.Errorf("%w: block %d where %d was asked for", ErrAnswer, b.GetHeader().GetNumber(), number)
	}
	return b, nil
}

// checkChunk holds a chunk against the block it is a part of. All but the last chunk of a block are full, so that a server
// cannot keep a stream for ever with one byte at a time.
func checkChunk(c *pb.Chunk, number, size, have uint64) error {
	if c.Number != number || c.Size != size || size == 0 || size > MaxBlock || uint64(len(c.Data)) != min(chunkBytes, size-have) {
		return fmt.Errorf("%w: chunk of %d bytes at %d of %d of block %d, want block %d in chunks of %d", ErrAnswer, len(c.Data), have, c.Size, c.Number, number, chunkBytes)
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
