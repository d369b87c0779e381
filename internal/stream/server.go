// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/fair"
)

// ErrRegistered says that somebody else on this host answers the protocol already.
var ErrRegistered = errors.New("stream: protocol already has a handler on this host")

// Server answers one protocol on one host.
type Server struct {
	Host     host.Host
	Protocol Protocol
	// Authorize says whether a peer may be answered at all; nil answers everybody. It must not block.
	Authorize func(peer.ID) bool
	// Accounts says whom a peer counts as, and who is barred. Nil: every peer counts for itself.
	Accounts *Accounts
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
	p := s.Protocol
	rates := NewRates(p.Rate, p.Burst, p.OrgRate, p.OrgBurst)
	live := gate{total: p.Streams, each: p.PeerStreams}
	s.Host.SetStreamHandler(p.ID, func(raw network.Stream) {
		owner := s.Accounts.Owner(raw.Conn().RemotePeer())
		if code := live.enter(owner); code != network.StreamNoError {
			_ = raw.ResetWithError(code)
			return
		}
		defer live.leave(owner)
		s.serve(ctx, raw, rates, owner)
	})
	<-ctx.Done()
	s.Host.RemoveStreamHandler(p.ID)
	live.closeAndWait()
	return nil
}

func (s *Server) serve(ctx context.Context, raw network.Stream, rates *Rates, owner fair.Owner) {
	remote := raw.Conn().RemotePeer()
	if code := s.refuse(remote, rates, owner); code != network.StreamNoError {
		_ = raw.ResetWithError(code)
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
		if reason, ok := blame(err); ok && ctx.Err() == nil {
			s.Accounts.Fault(remote, reason)
		}
		return
	}
	_ = st.Close()
}

// refuse returns the code with which to refuse a stream, or StreamNoError.
func (s *Server) refuse(remote peer.ID, rates *Rates, owner fair.Owner) network.StreamErrorCode {
	if s.Accounts.Barred(remote) {
		s.Accounts.refused(remote)
		return network.StreamGated
	}
	if s.Authorize != nil && !s.Authorize(remote) {
		return network.StreamGated
	}
	ok, each := rates.Allow(owner)
	if !each {
		s.Accounts.Fault(remote, Flood)
	}
	if !ok {
		return network.StreamRateLimited
	}
	return network.StreamNoError
}

func (s *Server) debug(what string, remote peer.ID, err error) {
	if s.Log != nil {
		s.Log.Debug(what, "protocol", s.Protocol.ID, "peer", remote, "err", err)
	}
}

// gate counts who is inside, lets in no more than its bounds and, once closed, nobody.
type gate struct {
	total, each int

	mu     sync.Mutex // guards all below
	closed bool
	tally  fair.Tally
	inside sync.WaitGroup
}

// enter returns the code with which to refuse, or StreamNoError after which leave is due.
func (g *gate) enter(o fair.Owner) network.StreamErrorCode {
	g.mu.Lock()
	defer g.mu.Unlock()
	total := g.total
	if total == 0 {
		total = math.MaxInt
	}
	switch {
	case g.closed:
		return network.StreamShutdown
	case !g.tally.Fits(o, 1, total, g.each):
		return network.StreamResourceLimitExceeded
	}
	g.tally.Add(o, 1)
	g.inside.Add(1)
	return network.StreamNoError
}

func (g *gate) leave(o fair.Owner) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tally.Add(o, -1)
	g.inside.Done()
}

func (g *gate) closeAndWait() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.inside.Wait()
}
