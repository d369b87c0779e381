// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// stream is the server's side of an RPC.
type stream interface {
	Context() context.Context
	Recv() (*common.Envelope, error)
	SendMsg(m any) error
}

// What ends a stream without a status of Fabric's. The texts get into the client's log.
var (
	errSilent = status.Error(codes.DeadlineExceeded, "weft: no request came in time")
	errSlow   = status.Error(codes.DeadlineExceeded, "weft: the client has not read a block in time")
)

// deliver answers one request after another, each with blocks and then a status. After a status other than SUCCESS the stream ends.
func (s *Server) deliver(st stream, f form) error {
	return s.converse(st, func(ctx context.Context, w *writer, e *common.Envelope) (more bool, err error) {
		channel, err := s.answer(ctx, w, f, e)
		if _, refused := errors.AsType[*Refusal](err); err != nil && !refused {
			s.cfg.Metrics.request(channel, "broken")
			s.cfg.Log.Debug("a Deliver stream breaks", "channel", channel, "err", err)
			return false, err
		}
		got := StatusOf(err)
		s.cfg.Metrics.request(channel, label(got))
		if err != nil {
			s.cfg.Log.Debug("a Deliver request is refused", "channel", channel, "err", err)
		}
		return err == nil, w.send(ctx, 0, f.status(got))
	})
}

// broadcast answers one envelope after another. After a status other than SUCCESS the stream ends, as with an orderer.
func (s *Server) broadcast(st stream) error {
	return s.converse(st, func(ctx context.Context, w *writer, e *common.Envelope) (more bool, err error) {
		answer := s.cfg.Broadcast(ctx, e)
		got := answer.GetStatus()
		s.cfg.Metrics.broadcast(label(got))
		if got != common.Status_SUCCESS {
			s.cfg.Log.Debug("an envelope is not ordered", "status", got, "info", answer.GetInfo())
		}
		return got == common.Status_SUCCESS, w.send(ctx, 0, answer)
	})
}

// converse has respond answer each message, until that says that there are no more, the client is done, or something breaks. What was
// written before goes out first, unless the client does not read.
func (s *Server) converse(st stream, respond func(context.Context, *writer, *common.Envelope) (more bool, err error)) error {
	leave, err := s.enter(st.Context())
	if err != nil {
		return err
	}
	defer leave()
	w := s.newWriter(st)
	defer w.close()
	limit := s.cfg.Limits.RequestTimeout
	for more := true; more && err == nil; limit = s.cfg.Limits.IdleTimeout {
		e, readErr := s.receive(st, limit)
		if errors.Is(readErr, io.EOF) {
			break
		}
		if err = readErr; err == nil {
			more, err = respond(st.Context(), w, e)
		}
	}
	if errors.Is(err, errSlow) {
		return err
	}
	return cmp.Or(err, w.flush(st.Context()))
}

// enter takes a place among the streams.
func (s *Server) enter(ctx context.Context) (leave func(), err error) {
	free, ok := s.streams.enter(callerAddress(ctx))
	if !ok {
		s.cfg.Metrics.refused("streams")
		return nil, status.Error(codes.ResourceExhausted, "weft: too many streams")
	}
	s.cfg.Metrics.open(1)
	return func() {
		s.cfg.Metrics.open(-1)
		free()
	}, nil
}

func callerAddress(ctx context.Context) string {
	if caller, ok := peer.FromContext(ctx); ok {
		return addressOf(caller.Addr)
	}
	return ""
}

type received struct {
	envelope *common.Envelope
	err      error
}

// receive waits for a message. When that takes too long the handler returns, which also ends the Recv that it leaves behind.
func (s *Server) receive(st stream, limit time.Duration) (*common.Envelope, error) {
	got := make(chan received, 1)
	s.pending.Go(func() {
		e, err := st.Recv()
		got <- received{e, err}
	})
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	select {
	case r := <-got:
		return r.envelope, r.err
	case <-timeout.C:
		s.cfg.Metrics.refused("silent")
		return nil, errSilent
	}
}
