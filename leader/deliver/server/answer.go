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
	return (&course{server: s, writer: w, form: f, reader: r, chain: chain, want: want, room: oneRoom}).run(ctx)
}

func leaderless() error { return Refuse(common.Status_SERVICE_UNAVAILABLE, "no leader") }
