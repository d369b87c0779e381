// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader/deliver/server"
)

// passed remembers what a relay has passed on, and answers what a test says.
type passed struct {
	envelopes []*common.Envelope
	answer    *orderer.BroadcastResponse
	err       error
}

func (p *passed) forward(_ context.Context, _ string, e *common.Envelope) (*orderer.BroadcastResponse, error) {
	p.envelopes = append(p.envelopes, e)
	return p.answer, p.err
}

func (c *chain) relay(t *testing.T, p *passed, change ...func(*server.RelayConfig)) *server.Relay {
	t.Helper()
	cfg := server.RelayConfig{Chain: c.config().Chain, Forward: p.forward}
	for _, bend := range change {
		bend(&cfg)
	}
	r, err := server.NewRelay(cfg)
	require.NoError(t, err)
	return r
}

func transaction(t *testing.T, channel string, signer devnet.Signer, size int) *common.Envelope {
	t.Helper()
	e, err := devnet.Transaction(channel, signer, size, rand.Reader, time.Now())
	require.NoError(t, err)
	return e
}

// Nothing passes but what a member of a channel organization has signed, for a channel that we are in, of a size that the channel allows.
func TestRelayIsNotOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		c.configure(t, devnet.SetBatchSize(&orderer.BatchSize{MaxMessageCount: 10, AbsoluteMaxBytes: 64 << 10, PreferredMaxBytes: 16 << 10}))
		revoked := orderertest.Enroll(t, c.net.Org1, "User2", devnet.Client)
		require.NoError(t, c.net.Org1.Revoke(revoked.Certificate, time.Now()))
		c.configure(t, devnet.SetMSP(c.net.Org1))
		old, err := devnet.NewOrg("Org3", time.Now().Add(-20*365*24*time.Hour))
		require.NoError(t, err)
		expired, err := old.Enroll("User1", devnet.Client, time.Now().Add(-20*365*24*time.Hour))
		require.NoError(t, err)
		c.configure(t, devnet.AddOrg(old))
		flipped := transaction(t, c.net.Channel, c.net.Client, 10)
		flipped.Signature[len(flipped.Signature)-1] ^= 1
		impostor := orderertest.Enroll(t, orderertest.Org(t, "Org1"), "User1", devnet.Client)
		update, err := devnet.UpdateEnvelope(c.net.Channel, c.source.Bundle().Config(), c.source.Bundle().Config(), time.Now(), c.net.Client)
		require.NoError(t, err)
		for name, tc := range map[string]struct {
			envelope *common.Envelope
			status   common.Status
		}{
			"transaction of a client":   {transaction(t, c.net.Channel, c.net.Client, 10), success},
			"configuration update":      {update, success},
			"nothing":                   {&common.Envelope{}, common.Status_BAD_REQUEST},
			"garbage":                   {&common.Envelope{Payload: []byte{0xff}}, common.Status_BAD_REQUEST},
			"unknown channel":           {transaction(t, "elsewhere", c.net.Client, 10), common.Status_NOT_FOUND},
			"too big":                   {transaction(t, c.net.Channel, c.net.Client, 64<<10), common.Status_BAD_REQUEST},
			"bad signature":             {flipped, common.Status_FORBIDDEN},
			"no signature":              {&common.Envelope{Payload: flipped.Payload}, common.Status_FORBIDDEN},
			"organization unknown":      {transaction(t, c.net.Channel, orderertest.Enroll(t, orderertest.Org(t, "Org9"), "User1", devnet.Client), 10), common.Status_FORBIDDEN},
			"other CA under our MSP ID": {transaction(t, c.net.Channel, impostor, 10), common.Status_FORBIDDEN},
			"revoked":                   {transaction(t, c.net.Channel, revoked, 10), common.Status_FORBIDDEN},
			"expired":                   {transaction(t, c.net.Channel, expired, 10), common.Status_FORBIDDEN},
		} {
			p := &passed{answer: &orderer.BroadcastResponse{Status: success}}
			answer := c.relay(t, p).Broadcast(t.Context(), tc.envelope)
			require.Equal(t, tc.status, answer.GetStatus(), name)
			if tc.status == success {
				require.Len(t, p.envelopes, 1, name)
				continue
			}
			require.Empty(t, p.envelopes, name)
			require.NotEmpty(t, answer.GetInfo(), name)
		}
	})
}

func TestRelayAnswersWhatTheOrdererAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		p := &passed{answer: &orderer.BroadcastResponse{Status: common.Status_FORBIDDEN, Info: "policy"}}
		cfg := c.config()
		cfg.Broadcast = c.relay(t, p).Broadcast
		s := serve(t, c, cfg)
		send := func(e *common.Envelope) *orderer.BroadcastResponse {
			stream, err := s.connect(t, nil).Broadcast(t.Context())
			require.NoError(t, err)
			require.NoError(t, stream.Send(e))
			answer, err := stream.Recv()
			require.NoError(t, err)
			if answer.GetStatus() != success {
				_, err = stream.Recv()
				require.ErrorIs(t, err, io.EOF, "the stream ends after a rejection")
			}
			return answer
		}
		e := transaction(t, c.net.Channel, c.net.Client, 10)
		answer := send(e)
		require.Equal(t, common.Status_FORBIDDEN, answer.GetStatus())
		require.Equal(t, "policy", answer.GetInfo())
		require.Equal(t, encode(e), encode(p.envelopes[0]))

		padded := &common.Envelope{Payload: e.Payload, Signature: e.Signature}
		padded.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 99, protowire.BytesType), make([]byte, 1<<20)))
		send(padded)
		require.Equal(t, encode(e), encode(p.envelopes[1]), "only what was judged")

		p.answer, p.err = nil, errors.New("nobody listens")
		answer = send(e)
		require.Equal(t, common.Status_SERVICE_UNAVAILABLE, answer.GetStatus())
		require.Contains(t, answer.GetInfo(), "nobody listens")

		stream, err := serve(t, c, c.config()).connect(t, nil).Broadcast(t.Context())
		require.NoError(t, err)
		require.NoError(t, stream.Send(e))
		answer, err = stream.Recv()
		require.NoError(t, err)
		require.Equal(t, common.Status_SERVICE_UNAVAILABLE, answer.GetStatus(), "a listener that stands for no orderer")
	})
}

func TestRelayRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		p := &passed{answer: &orderer.BroadcastResponse{Status: success}}
		r := c.relay(t, p, func(cfg *server.RelayConfig) { cfg.IdentityRate, cfg.Rate = 5, 8 })
		client, other := c.net.Client, orderertest.Enroll(t, c.net.Org2, "User1", devnet.Client)
		burst := func(signer devnet.Signer) (passed int) {
			for range 20 {
				if r.Broadcast(t.Context(), transaction(t, c.net.Channel, signer, 10)).GetStatus() == success {
					passed++
				}
			}
			return passed
		}
		require.Equal(t, 10, burst(client), "twice the rate of a certificate")
		require.Equal(t, 6, burst(other), "what is left of twice the rate of all")
		answer := r.Broadcast(t.Context(), transaction(t, c.net.Channel, client, 10))
		require.Equal(t, common.Status_SERVICE_UNAVAILABLE, answer.GetStatus(), "gateways try again")
		time.Sleep(time.Second)
		require.Equal(t, 5, burst(client))
	})
}

// An orderer that does not answer holds no client for long.
func TestRelayGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		r := c.relay(t, &passed{}, func(cfg *server.RelayConfig) {
			cfg.Forward = func(ctx context.Context, _ string, _ *common.Envelope) (*orderer.BroadcastResponse, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		})
		began := time.Now()
		answer := r.Broadcast(t.Context(), transaction(t, c.net.Channel, c.net.Client, 10))
		require.Equal(t, common.Status_SERVICE_UNAVAILABLE, answer.GetStatus())
		require.Equal(t, 15*time.Second, time.Since(began))
		_, err := server.NewRelay(server.RelayConfig{})
		require.Error(t, err)
		_, err = server.NewRelay(server.RelayConfig{Chain: c.config().Chain, Forward: (&passed{}).forward, Rate: -1})
		require.Error(t, err)
	})
}
