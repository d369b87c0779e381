// SPDX-License-Identifier: Apache-2.0

package orderer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	pb "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
)

// recorder is the server's side of one Deliver stream with one request.
type recorder struct {
	grpc.ServerStream
	ctx      context.Context
	requests []*common.Envelope
	answers  []*pb.DeliverResponse
}

var errNoMore = errors.New("the client has gone")

func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Recv() (*common.Envelope, error) {
	if len(r.requests) == 0 {
		return nil, errNoMore
	}
	next := r.requests[0]
	r.requests = r.requests[1:]
	return next, nil
}

func (r *recorder) Send(a *pb.DeliverResponse) error {
	r.answers = append(r.answers, a)
	return nil
}

// Whatever the bytes of an envelope are, both services answer it with a status, and nothing is ordered or delivered to a stranger.
func FuzzEnvelope(f *testing.F) {
	n := orderertest.New(f)
	o, err := orderer.New(n.Config())
	require.NoError(f, err)
	for _, e := range []*common.Envelope{
		{}, {Payload: []byte{0xff}}, request(n, seek(oldest(), newest())), n.Transaction(f, 10),
		{Payload: request(n, seek(oldest(), newest())).Payload, Signature: []byte{0x30, 0x06, 2, 1, 1, 2, 1, 1}},
	} {
		f.Add(e.GetPayload(), e.GetSignature())
	}
	f.Fuzz(func(t *testing.T, payload, signature []byte) {
		e := &common.Envelope{Payload: payload, Signature: signature}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		stream := &recorder{ctx: ctx, requests: []*common.Envelope{e}}
		err := o.Deliver(stream)
		if err == nil || errors.Is(err, errNoMore) {
			require.NotEmpty(t, stream.answers)
		}
		refused := &orderer.Refusal{}
		if err := o.Order(ctx, e); !errors.Is(err, context.Canceled) {
			require.ErrorAs(t, err, &refused)
			require.NotEqual(t, common.Status_SUCCESS, refused.Status)
		}
		require.EqualValues(t, 1, o.Height())
	})
}

// Whatever SeekInfo an authorized reader sends, the stream ends with a status or waits, and blocks come in order.
func FuzzSeekInfo(f *testing.F) {
	n := orderertest.New(f)
	chain := orderer.NewMemory()
	cfg := n.Config()
	cfg.Ledger = chain
	o, err := orderer.New(cfg)
	require.NoError(f, err)
	stop := n.Serve(f, o)
	for o.Height() < 4 {
		require.NoError(f, o.Order(context.Background(), n.Transaction(f, 10)))
		_, err := o.Cut(context.Background())
		require.NoError(f, err)
	}
	stop()
	for _, info := range []*pb.SeekInfo{
		seek(nil, nil), seek(oldest(), newest()), seek(newest(), oldest()), seek(at(2), forever()), seek(at(1), at(3), failIfNotReady),
		seek(nextCommit(), forever()), seek(oldest(), newest(), headersOnly), seek(at(9), at(9), bestEffort),
	} {
		f.Add(encode(info))
	}
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		stream := &recorder{ctx: ctx, requests: []*common.Envelope{request(n, nil, func(e *envelope) { e.data = raw })}}
		err := o.Deliver(stream)
		info := &pb.SeekInfo{}
		if proto.Unmarshal(raw, info) != nil {
			require.NoError(t, err)
			require.Len(t, stream.answers, 1)
			require.Equal(t, common.Status_BAD_REQUEST, stream.answers[0].GetStatus())
			return
		}
		var previous *common.BlockHeader
		for i, a := range stream.answers {
			if a.GetBlock() == nil {
				require.Equal(t, len(stream.answers)-1, i, "the status comes last")
				continue
			}
			if previous != nil {
				require.Equal(t, previous.GetNumber()+1, a.GetBlock().GetHeader().GetNumber())
			}
			previous = a.GetBlock().GetHeader()
		}
	})
}
