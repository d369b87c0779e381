// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/host/pb"
	"github.com/weft-p2p/weft/internal/stream"
	"github.com/weft-p2p/weft/msp"
)

// AuthProtocol is /weft/auth/1.0.0; docs/spec/auth.md has the same values. A member authenticates once per connection and
// once per new record, a few times a day; the burst is for reconnections.
var AuthProtocol = stream.Protocol{
	ID:         "/weft/auth/1.0.0",
	Service:    "weft.auth",
	Memory:     64 << 10,
	MaxMessage: 32 << 10,
	Deadline:   5 * time.Second,
	Rate:       1,
	Burst:      10,
	OrgRate:    64,
	OrgBurst:   640,

	Streams:     256,
	PeerStreams: 2,
}

// maxClockLead is how far above our clock a peer's claim about our own incarnation may be. A true one comes from a clock of
// ours that was that far ahead; without a bound one lie would use up all incarnations there are.
const maxClockLead = 366 * 24 * time.Hour

// Authenticate shows our record to a connected peer and judges the one that it answers with; 5 s at most, and it never
// dials. The result is what we think of the peer now. The error says why the peer showed no valid record:
// [ErrUnknownToPeer], [ErrRefusedByPeer], [ErrInvalidRecord], [ErrAnswer], [ErrNoRecord], libp2p's network.ErrNoConn, or one
// of the stream.
func (a *Auth) Authenticate(ctx context.Context, id peer.ID) (Result, error) {
	mine := a.cfg.Mine()
	if mine == nil {
		return a.resultOf(id), ErrNoRecord
	}
	answer, err := a.ask(ctx, id, mine)
	if err != nil {
		a.metrics.opened(outcomeFailed)
		return a.resultOf(id), err
	}
	res, err := a.hear(id, mine, answer)
	a.metrics.opened(outcome(res, err))
	if res == Refused || errors.Is(err, ErrInvalidRecord) {
		a.closeRefused(id)
	}
	return res, err
}

// ask is the opener's side of the exchange.
func (a *Auth) ask(ctx context.Context, id peer.ID, mine *msp.Record) (*pb.AuthResponse, error) {
	if !a.connected(id) {
		return nil, fmt.Errorf("authenticate to %s: %w", id, network.ErrNoConn)
	}
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "authentication uses the connection there is"), AuthProtocol.Deadline)
	defer cancel()
	s, err := stream.Open(ctx, a.cfg.Host, id, AuthProtocol)
	if err != nil {
		return nil, err
	}
	answer := new(pb.AuthResponse)
	if err := exchange(s, &pb.AuthRequest{Record: mine.Bytes()}, answer); err != nil {
		s.Reset(network.StreamProtocolViolation)
		return nil, fmt.Errorf("authenticate to %s: %w", id, err)
	}
	_ = s.Close() // the answer is here
	return answer, nil
}

func exchange(s *stream.Stream, req *pb.AuthRequest, answer *pb.AuthResponse) error {
	if err := s.Write(req); err != nil {
		return err
	}
	return s.Read(answer)
}

// hear takes the peer's answer in.
func (a *Auth) hear(id peer.ID, mine *msp.Record, answer *pb.AuthResponse) (Result, error) {
	switch answer.GetStatus() {
	case pb.Status_STATUS_VERIFIED:
	case pb.Status_STATUS_UNKNOWN:
		return a.resultOf(id), ErrUnknownToPeer
	case pb.Status_STATUS_REFUSED:
		return a.resultOf(id), ErrRefusedByPeer
	default:
		return a.resultOf(id), fmt.Errorf("%w: status %d", ErrAnswer, answer.GetStatus())
	}
	rec, err := a.open(id, answer.GetRecord())
	if err != nil {
		return a.resultOf(id), err
	}
	res := a.learn(id, rec)
	a.peers.shown(id, mine.Incarnation())
	if res == Verified && a.cfg.Outdated != nil && outdated(mine, answer.GetHighestIncarnation(), time.Now()) {
		a.cfg.Outdated(answer.GetHighestIncarnation())
	}
	return res, nil
}

func outdated(mine *msp.Record, claim uint64, now time.Time) bool {
	return claim > mine.Incarnation() && claim <= uint64(now.Add(maxClockLead).UnixNano())
}

// serve is the answerer's side.
func (a *Auth) serve(_ context.Context, s *stream.Stream) error {
	req := new(pb.AuthRequest)
	if err := s.Read(req); err != nil {
		a.metrics.answered(outcomeFailed)
		return err
	}
	rec, err := a.open(s.Remote(), req.GetRecord())
	if err != nil {
		a.metrics.answered(outcomeInvalid)
		err = blame(err)
		s.Reset(network.StreamProtocolViolation)
		a.closeRefused(s.Remote())
		return err
	}
	res := a.learn(s.Remote(), rec)
	a.metrics.answered(outcome(res, nil))
	return a.answer(s, res)
}

func (a *Auth) answer(s *stream.Stream, res Result) error {
	id := s.Remote()
	out := &pb.AuthResponse{Status: status(res), HighestIncarnation: a.peers.highest(id)}
	var mine *msp.Record
	if res == Verified {
		if mine = a.cfg.Mine(); mine == nil {
			return ErrNoRecord
		}
		out.Record = mine.Bytes()
	}
	if err := s.Write(out); err != nil {
		return err
	}
	if mine != nil {
		a.peers.shown(id, mine.Incarnation())
	}
	if res == Refused && a.cfg.CloseRefused {
		a.hangUp(s)
	}
	return nil
}

// hangUp closes the connection once the peer has taken the answer: its end of the stream closes, or 5 s pass.
func (a *Auth) hangUp(s *stream.Stream) {
	_ = s.CloseWrite()
	_ = s.Read(new(pb.AuthRequest)) // whatever comes, it is the end
	a.closeRefused(s.Remote())
}

// open checks that a record is whole, in time and of the peer at the other end.
func (a *Auth) open(id peer.ID, raw []byte) (*msp.Record, error) {
	rec, err := a.cfg.Records.Open(raw, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%w of %s: %w", ErrInvalidRecord, id, err)
	}
	if rec.PeerID() != id {
		return nil, fmt.Errorf("%w: %s shows the record of %s", ErrInvalidRecord, id, rec.PeerID())
	}
	return rec, nil
}

// blame tells a record that no honest peer shows from one that another clock takes for valid.
func blame(err error) error {
	if errors.Is(err, msp.ErrExpired) || errors.Is(err, msp.ErrRecordExpired) || errors.Is(err, msp.ErrRecordFuture) || errors.Is(err, msp.ErrNotYetValid) {
		return err
	}
	return fmt.Errorf("%w: %w", stream.ErrViolation, err)
}

// learn judges a record and keeps it, unless a newer one of the peer is known, whose result it returns then.
func (a *Auth) learn(id peer.ID, rec *msp.Record) Result {
	res := a.peers.learn(id, rec, a.cfg.Judge)
	if res == Verified {
		a.warnDuplicate(id, rec)
	}
	return res
}

// warnDuplicate tells the operator, once for an identity, that two hosts claim it. Only who has the identity's key can
// cause it.
func (a *Auth) warnDuplicate(id peer.ID, rec *msp.Record) {
	other, ok := a.peers.twin(id, rec)
	if mine := a.cfg.Mine(); mine != nil && id != a.cfg.Host.ID() && mine.Identity().Key() == rec.Identity().Key() {
		other, ok = a.cfg.Host.ID(), true
	}
	if ok && a.peers.firstTwin(rec) {
		a.cfg.Log.Warn("duplicate host key: two live hosts use one identity; give each node a certificate of its own",
			"msp", rec.Identity().MSPID(), "subject", rec.Identity().Certificate().Subject, "peer", id, "other", other)
	}
}

func (a *Auth) resultOf(id peer.ID) Result {
	_, res := a.Known(id)
	return res
}

// status is the one place where a result becomes a wire status.
func status(r Result) pb.Status {
	switch r {
	case Verified:
		return pb.Status_STATUS_VERIFIED
	case Unknown:
		return pb.Status_STATUS_UNKNOWN
	}
	return pb.Status_STATUS_REFUSED
}
