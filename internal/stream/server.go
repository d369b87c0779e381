// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"
)

// ErrRegistered says that somebody else on this host answers the protocol already.
var ErrRegistered = errors.New("stream: protocol already has a handler on this host")

// rateMemory is how many peers' rates a server remembers. A peer that falls out starts with a full burst again, which
// costs at most Burst streams for each of 4,096 other peers that it must get connected first.
const rateMemory = 4096

// Server answers one protocol on one host.
type Server struct {
	Host     host.Host
	Protocol Protocol
	// Authorize says whether a peer may be answered at all; nil answers everybody. It must not block.
	Authorize func(peer.ID) bool
	// Handle answers one stream. The stream is closed when it returns nil and reset otherwise. ctx ends with Run's.
	Handle func(ctx context.Context, s *Stream) error
	// Log hears what goes wrong with a stream, at Debug. Nil discards.
	Log *slog.Logger
}

// Run registers the handler and blocks until ctx ends. When it returns the handler is gone and every stream that it was
// handling has ended. It returns [ErrRegistered] when the host has a handler for the protocol.
func (s *Server) Run(ctx context.Context) error {
	if slices.Contains(s.Host.Mux().Protocols(), s.Protocol.ID) {
		return fmt.Errorf("%w: %s", ErrRegistered, s.Protocol.ID)
	}
	rates, err := lru.New[peer.ID, *rate.Limiter](rateMemory)
	if err != nil {
		return err
	}
	live := gate{total: s.Protocol.Streams, perPeer: s.Protocol.PeerStreams, peers: map[peer.ID]int{}}
	s.Host.SetStreamHandler(s.Protocol.ID, func(raw network.Stream) {
		if code := live.enter(raw.Conn().RemotePeer()); code != network.StreamNoError {
			_ = raw.ResetWithError(code)
			return
		}
		defer live.leave(raw.Conn().RemotePeer())
		s.serve(ctx, raw, rates)
	})
	<-ctx.Done()
	s.Host.RemoveStreamHandler(s.Protocol.ID)
	live.closeAndWait()
	return nil
}

func (s *Server) serve(ctx context.Context, raw network.Stream, rates *lru.Cache[peer.ID, *rate.Limiter]) {
	remote := raw.Conn().RemotePeer()
	if s.Authorize != nil && !s.Authorize(remote) {
		_ = raw.ResetWithError(network.StreamGated)
		return
	}
	if !s.within(rates, remote) {
		_ = raw.ResetWithError(network.StreamRateLimited)
		return
	}
	st, err := admit(ctx, raw, s.Protocol)
	if err != nil {
		s.debug("stream refused", remote, err)
		return
	}
	if err := s.Handle(ctx, st); err != nil {
		st.Reset(network.StreamProtocolViolation)
		s.debug("stream ended", remote, err)
		return
	}
	_ = st.Close()
}

func (s *Server) within(rates *lru.Cache[peer.ID, *rate.Limiter], remote peer.ID) bool {
	if s.Protocol.Rate == 0 {
		return true
	}
	fresh := rate.NewLimiter(s.Protocol.Rate, s.Protocol.Burst)
	if known, ok, _ := rates.PeekOrAdd(remote, fresh); ok {
		return known.Allow()
	}
	return fresh.Allow()
}

func (s *Server) debug(what string, remote peer.ID, err error) {
	if s.Log != nil {
		s.Log.Debug(what, "protocol", s.Protocol.ID, "peer", remote, "err", err)
	}
}

// gate counts who is inside, lets in no more than its bounds and, once closed, nobody.
type gate struct {
	total, perPeer int

	mu     sync.Mutex // guards all below
	closed bool
	count  int
	peers  map[peer.ID]int
	inside sync.WaitGroup
}

// enter returns the code with which to refuse, or StreamNoError after which leave is due.
func (g *gate) enter(id peer.ID) network.StreamErrorCode {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return network.StreamShutdown
	case g.total > 0 && g.count >= g.total, g.perPeer > 0 && g.peers[id] >= g.perPeer:
		return network.StreamResourceLimitExceeded
	}
	g.count++
	g.peers[id]++
	g.inside.Add(1)
	return network.StreamNoError
}

func (g *gate) leave(id peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count--
	if g.peers[id]--; g.peers[id] == 0 {
		delete(g.peers, id)
	}
	g.inside.Done()
}

func (g *gate) closeAndWait() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.inside.Wait()
}
