// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/leader/deliver/server"
)

// recorder is the server's side of one stream with some requests.
type recorder struct {
	ctx      context.Context
	requests []*common.Envelope
	answers  []any
}

func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Recv() (*common.Envelope, error) {
	if len(r.requests) == 0 {
		return nil, io.EOF
	}
	next := r.requests[0]
	r.requests = r.requests[1:]
	return next, nil
}

func (r *recorder) SendMsg(m any) error {
	r.answers = append(r.answers, m)
	return nil
}

// Whatever the bytes of an envelope are, it is answered with one status and no block.
func FuzzEnvelope(f *testing.F) {
	c := newChain(f, 2)
	cfg := c.config()
	cfg.Limits.RequestRate = 1 << 20
	s, err := server.New(cfg)
	require.NoError(f, err)
	whole := c.request(seek(oldest(), newest()))
	for _, e := range []*common.Envelope{
		{}, {Payload: []byte{0xff}}, whole, c.net.Transaction(f, 10), {Payload: whole.Payload, Signature: []byte{0x30, 0x06, 2, 1, 1, 2, 1, 1}},
	} {
		f.Add(e.GetPayload(), e.GetSignature())
	}
	f.Fuzz(func(t *testing.T, payload, signature []byte) {
		if string(payload) == string(whole.Payload) {
			return
		}
		st := &recorder{ctx: t.Context(), requests: []*common.Envelope{{Payload: payload, Signature: signature}}}
		require.NoError(t, s.DeliverOrderer(st))
		s.Wait()
		require.Len(t, st.answers, 1)
		require.NotEqual(t, success, st.answers[0].(*orderer.DeliverResponse).GetStatus())
	})
}

// Whatever SeekInfo an authorized reader sends, blocks come in order and the status comes last.
func FuzzSeekInfo(f *testing.F) {
	c := newChain(f, 4)
	cfg := c.config()
	cfg.Limits.RequestRate = 1 << 20
	s, err := server.New(cfg)
	require.NoError(f, err)
	for _, info := range []*orderer.SeekInfo{
		seek(nil, nil), seek(oldest(), newest()), seek(newest(), oldest()), forever(2), seek(at(1), at(3), failIfNotReady),
		seek(nextCommit(), at(9)), seek(oldest(), newest(), headersOnly), seek(at(9), at(9), bestEffort), {Start: &orderer.SeekPosition{}, Stop: at(1)},
	} {
		f.Add(encode(info))
	}
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		info := &orderer.SeekInfo{}
		if proto.Unmarshal(raw, info) != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		st := &recorder{ctx: ctx, requests: []*common.Envelope{c.request(info)}}
		_ = s.DeliverFiltered(st) // the time is up for some
		s.Wait()
		next := uint64(0)
		for i, a := range st.answers {
			b := a.(*peer.DeliverResponse).GetFilteredBlock()
			if b == nil {
				require.Equal(t, len(st.answers)-1, i, "the status comes last")
				continue
			}
			require.True(t, i == 0 || b.GetNumber() == next)
			next = b.GetNumber() + 1
		}
	})
}

// Transactions come from clients: whatever is in them, events are found or not.
func FuzzChaincodeEvents(f *testing.F) {
	event := encode(&peer.ChaincodeEvent{ChaincodeId: "cc", TxId: "tx", EventName: "sold", Payload: []byte("secret")})
	action := encode(&peer.ChaincodeActionPayload{Action: &peer.ChaincodeEndorsedAction{
		ProposalResponsePayload: encode(&peer.ProposalResponsePayload{Extension: encode(&peer.ChaincodeAction{Events: event})}),
	}})
	envelope := encode(&common.Envelope{Payload: encode(&common.Payload{
		Data: encode(&peer.Transaction{Actions: []*peer.TransactionAction{{Payload: action}, {Payload: []byte{0xff}}, {}}}),
	})})
	require.Equal(f, 1, server.EventsOf(envelope))
	f.Add(envelope)
	f.Add(envelope[:len(envelope)-1])
	f.Fuzz(func(t *testing.T, raw []byte) {
		require.LessOrEqual(t, server.EventsOf(raw), len(raw))
	})
}
