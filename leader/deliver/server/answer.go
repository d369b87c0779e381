// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weft-p2p/weft/msp"
)

// lookAgain is how often a stream that waits looks at the chain, although nothing has told it to.
const lookAgain = time.Second

// bearer names a certificate: streams of one are counted together.
type bearer struct {
	mspID  string
	digest [32]byte
}

func bearerOf(id *msp.Identity) bearer { return bearer{id.MSPID(), id.Digest()} }

// answer answers one request and returns the channel that it is for, "" if we do not serve it. A *Refusal is the status that the client is
// to be told; another error breaks the stream.
func (s *Server) answer(ctx context.Context, w *writer, f form, e *common.Envelope) (channel string, err error) {
	if err := s.requests.of(callerAddress(ctx)).Wait(ctx); err != nil {
		return "", err
	}
	r, err := s.request(ctx, e, f.policy)
	if err != nil {
		return "", err
	}
	chain := s.cfg.Chain(r.channel)
	if chain == nil {
		return "", Refuse(common.Status_NOT_FOUND, "channel %q is not served here", r.channel)
	}
	return r.channel, s.follow(ctx, w, f, r, chain)
}

// follow sends what a request asks for.
func (s *Server) follow(ctx context.Context, w *writer, f form, r *reader, chain Chain) error {
	info, err := decodeSeek(r.data)
	if err != nil {
		return err
	}
	now, _ := chain.Look()
	if now.Leaderless && strict(info) {
		return leaderless()
	}
	if err := r.judge(time.Now(), now.Bundle); err != nil {
		return err
	}
	leave, ok := s.identities.enter(bearerOf(r.id))
	if !ok {
		s.cfg.Metrics.refused("identity")
		return status.Error(codes.ResourceExhausted, "weft: too many streams with this certificate")
	}
	defer leave()
	want, err := resolve(info, now.Height)
	if err != nil {
		return err
	}
	for number := want.first; ; number++ {
		if err := s.await(ctx, r, chain, number, want); err != nil {
			return err
		}
		if err := s.send(ctx, w, f, r, chain, number, want.headers); err != nil {
			return err
		}
		if number == want.last {
			return nil
		}
	}
}

// await waits until there is a block of the given number that the reader may have, if the request says so.
func (s *Server) await(ctx context.Context, r *reader, chain Chain, number uint64, want span) error {
	var again *time.Timer
	for {
		now, changed := chain.Look()
		if err := r.judge(time.Now(), now.Bundle); err != nil {
			return err
		}
		switch {
		case now.Leaderless && want.strict:
			return leaderless()
		case number < now.Height:
			return nil
		case !want.wait:
			return Refuse(common.Status_NOT_FOUND, "block %d is not there yet", number)
		case now.Stuck != nil:
			return status.Errorf(codes.Unavailable, "weft: %v", now.Stuck)
		}
		pause := min(lookAgain, time.Until(r.id.ExpiresAt())+time.Nanosecond)
		if again == nil {
			again = time.NewTimer(pause)
			defer again.Stop()
		} else {
			again.Reset(pause)
		}
		select {
		case <-changed:
		case <-again.C:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

func leaderless() error { return Refuse(common.Status_SERVICE_UNAVAILABLE, "no leader") }

// send sends one block.
func (s *Server) send(ctx context.Context, w *writer, f form, r *reader, chain Chain, number uint64, headers bool) error {
	buf := s.buffers.get()
	raw, err := chain.Read(number, buf.bytes)
	if err != nil {
		buf.free()
		s.unreadable(chain, r.channel, number, err)
		return Refuse(common.Status_SERVICE_UNAVAILABLE, "block %d cannot be read", number)
	}
	message, err := f.shape(item{channel: r.channel, number: number, raw: raw, headers: headers, buffer: buf})
	if err != nil {
		s.cfg.Log.Error("the ledger does not hold the block that is due", "channel", r.channel, "number", number, "err", err)
		return Refuse(common.Status_SERVICE_UNAVAILABLE, "block %d is damaged", number)
	}
	buf.fit(len(raw))
	if err := w.send(ctx, message, len(raw)); err != nil {
		return err
	}
	s.cfg.Metrics.sent(r.channel)
	return nil
}

// unreadable tells the operator, unless the channel has ended.
func (s *Server) unreadable(chain Chain, channel string, number uint64, err error) {
	if now, _ := chain.Look(); now.Stuck != nil {
		s.cfg.Log.Debug("a block cannot be read", "channel", channel, "number", number, "err", err)
		return
	}
	s.cfg.Log.Error("a block cannot be read", "channel", channel, "number", number, "err", err)
}
