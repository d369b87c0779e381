// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/blocksync/pb"
	"github.com/weft-p2p/weft/internal/stream"
)

// Limits of the range protocol.
const (
	// MaxRange is how many blocks one request may ask for.
	MaxRange = 128
	// MaxBlock is the biggest block that is served or taken, in bytes.
	MaxBlock = 128 << 20
	// MaxScope is the longest scope of a request, in bytes.
	MaxScope = 128
	// ChunkBytes is how much of a block travels in one message: far below the 4 MiB at which JavaScript's length-prefixed
	// streams give up by default, and so little that a link which loses every twentieth packet brings it within Deadline.
	ChunkBytes = 256 << 10
	// ResponseBytes is after how many bytes a server ends an answer; the block that passes it is still sent whole.
	ResponseBytes = 8 << 20
	// minRate is how fast a block of several chunks has to come in, in bytes a second, and blockSlack how much bigger than
	// twice AbsoluteMaxBytes of the channel it may be.
	minRate, blockSlack = 64 << 10, 1 << 20
	// maxReading is how many blocks of a channel may be in memory before they are accounted for.
	maxReading = 8
	// pendingWait is how long a request waits for a block that is being committed at that moment.
	pendingWait = time.Second
)

// Protocol is the range protocol. A stream may take Deadline for each chunk: who is slower than 26 KB/s is cut off.
var Protocol = stream.Protocol{
	ID: "/weft/sync/1.0.0", Service: "weft.sync",
	Memory: 576 << 10, MaxMessage: ChunkBytes + 1<<10, Deadline: 10 * time.Second,
	// At 100 blocks/s a peer asks 100 times a second; beyond that it is a flood.
	Rate: 200, Burst: 400, OrgRate: 1600, OrgBurst: 3200, Streams: 256, PeerStreams: 16,
}

// Server answers range requests for all channels of a host.
type Server struct {
	Host host.Host
	// Channel finds the channel of a scope that the peer may read, nil if there is none.
	Channel func(scope string, reader peer.ID) *Sync
	// Speaks says whether a peer is authenticated at all.
	Speaks func(peer.ID) bool
	// Room, if set, says how many bytes a second all answers together may send, +Inf for as many as there are: less while new
	// blocks leave over the uplink that they share with them. It must not wait.
	Room func() float64
	// Accounts are those of the host's other servers; nil: every peer counts for itself.
	Accounts *stream.Accounts
	Log      *slog.Logger

	yields chan struct{} // 1-buffered: held by the answer that waits for new blocks
}

// Run answers until ctx ends; see stream.Server.
func (s *Server) Run(ctx context.Context) error {
	s.yields = make(chan struct{}, 1)
	server := stream.Server{Host: s.Host, Protocol: Protocol, Accounts: s.Accounts, Authorize: s.Speaks, Handle: s.handle, Log: s.Log}
	return server.Run(ctx)
}

func (s *Server) handle(ctx context.Context, st *stream.Stream) error {
	var q pb.Request
	if err := st.Read(&q); err != nil {
		return err
	}
	channel, status := s.find(&q, st.Remote())
	if channel == nil {
		return st.Write(&pb.Response{Status: status})
	}
	return channel.serve(ctx, st, &q, s.yield)
}

func (s *Server) find(q *pb.Request, reader peer.ID) (*Sync, pb.Status) {
	if len(q.Scope) > MaxScope || q.To < q.From || q.To-q.From >= MaxRange {
		return nil, pb.Status_STATUS_BAD_REQUEST
	}
	return s.Channel(q.Scope, reader), pb.Status_STATUS_UNAUTHORIZED
}

// serve answers a request that may be answered.
func (s *Sync) serve(ctx context.Context, st *stream.Stream, q *pb.Request, yield yield) error {
	s.awaitPending(ctx, q.From)
	height := s.Position().Height
	if q.From >= height {
		return s.respond(st, pb.Status_STATUS_NOT_FOUND, height)
	}
	blocks := span{q.From, min(q.To, height-1)}
	size := s.estimate(blocks)
	turn, instead, err := s.uploads.enter(ctx, st.Remote(), blocks, size)
	switch {
	case err != nil:
		return s.respond(st, pb.Status_STATUS_UNAVAILABLE, height)
	case instead != "":
		s.metrics.served(pb.Status_STATUS_ELSEWHERE)
		return st.Write(&pb.Response{Status: pb.Status_STATUS_ELSEWHERE, Height: height, Elsewhere: []byte(instead)})
	}
	got, err := s.answer(ctx, st, blocks, height, yield)
	s.uploads.leave(turn, got)
	return err
}

// answer sends blocks, as many as an answer may have, and returns those that were sent, nil if none.
func (s *Sync) answer(ctx context.Context, st *stream.Stream, blocks span, height uint64, yield yield) (got *span, err error) {
	for number, sent := blocks.first, 0; number <= blocks.last && sent < ResponseBytes; number++ {
		raw, release, err := s.read(ctx, st, number)
		if err != nil {
			return got, s.cutShort(st, number, blocks.first, height, err)
		}
		if number == blocks.first {
			err = s.respond(st, pb.Status_STATUS_OK, height)
		}
		if err == nil {
			err = send(ctx, st, number, raw, yield)
		}
		release()
		if err != nil {
			return got, err
		}
		sent += len(raw)
		got = &span{blocks.first, number}
	}
	return got, nil
}

// estimate is how big an answer is going to be, taking all blocks to be as big as the one that was committed last.
func (s *Sync) estimate(blocks span) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(min(uint64(s.size)*(blocks.last-blocks.first+1), max(ResponseBytes, uint64(s.size))))
}

// cutShort ends an answer because a block cannot be read or there is no memory for it. A prefix is an answer too.
func (s *Sync) cutShort(st *stream.Stream, number, first, height uint64, why error) error {
	s.Log.Debug("answer cut short", "peer", st.Remote(), "number", number, "err", why)
	if number > first {
		return nil
	}
	return s.respond(st, pb.Status_STATUS_UNAVAILABLE, height)
}

func (s *Sync) respond(st *stream.Stream, status pb.Status, height uint64) error {
	s.metrics.served(status)
	return st.Write(&pb.Response{Status: status, Height: height})
}

// read reads a block that will be sent and accounts for its memory until release is called. Few are read at one time, since
// the size of a block is not known before.
func (s *Sync) read(ctx context.Context, st *stream.Stream, number uint64) (raw []byte, release func(), err error) {
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if raw, err = s.Ledger.Bytes(number); err != nil {
		s.unreadable("read block", number, err)
		return nil, nil, err
	}
	if release, err = st.Reserve(len(raw)); err != nil {
		return nil, nil, err
	}
	return raw, release, nil
}

// awaitPending waits a moment for a block that has been verified and announced, and is being committed.
func (s *Sync) awaitPending(ctx context.Context, number uint64) {
	s.mu.Lock()
	pending := number >= s.at.Height && number < max(s.ending, s.at.Height+1)
	s.mu.Unlock()
	if pending {
		ctx, cancel := context.WithTimeout(ctx, pendingWait)
		defer cancel()
		_ = s.WaitHeight(ctx, number+1)
	}
}

// patience is how long so many bytes of a block may take, for either end.
func patience(bytes int) time.Duration {
	return Protocol.Deadline + time.Duration(bytes)*time.Second/minRate
}

// send sends one block in chunks. A reader that takes them at less than minRate is as slow as one that takes none.
func send(ctx context.Context, st *stream.Stream, number uint64, raw []byte, yield yield) error {
	start := time.Now()
	for at := 0; at < len(raw); at += ChunkBytes {
		if took := time.Since(start); took > patience(at) {
			return fmt.Errorf("%d bytes of block %d taken in %s: %w", at, number, took, os.ErrDeadlineExceeded)
		}
		chunk := &pb.Chunk{Number: number, Size: uint64(len(raw)), Data: raw[at:min(at+ChunkBytes, len(raw))]}
		if err := st.WritePaced(chunk, yieldBytes, func() error { return yield(ctx) }); err != nil {
			return err
		}
	}
	return nil
}
