// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"golang.org/x/time/rate"

	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// RelayConfig is what a [Relay] needs. Chain and Forward are required.
type RelayConfig struct {
	// Chain returns the channel with an ID, nil if the node is not in it.
	Chain func(channel string) Chain
	// Forward sends an envelope of a channel to its orderer and returns the answer, or an error when there is none.
	Forward func(ctx context.Context, channel string, e *common.Envelope) (*orderer.BroadcastResponse, error)

	Rate         int           // envelopes of all clients in a second, twice as many at once; 0: 2000
	IdentityRate int           // of one certificate, likewise; 0: 500
	Timeout      time.Duration // for the orderer's answer; 0: 15 s, below the 30 s that a stock gateway waits
}

// Relay passes envelopes on to real orderers: those of channels that the node is in, whose creator is a member of a channel organization
// and has signed them, and that are not bigger than the channel allows. Whether they may be ordered is for the orderers to judge, which
// know the newest configuration. Its method is safe for concurrent use.
type Relay struct {
	cfg        RelayConfig
	all        *rate.Limiter
	identities *rates[bearer]
}

// NewRelay returns a Relay, or what is wrong with the configuration.
func NewRelay(cfg RelayConfig) (*Relay, error) {
	if cfg.Chain == nil || cfg.Forward == nil {
		return nil, errors.New("server: Chain and Forward are required")
	}
	if cfg.Rate < 0 || cfg.IdentityRate < 0 || cfg.Timeout < 0 {
		return nil, errors.New("server: a limit of the relay cannot be negative")
	}
	if cfg.Rate == 0 {
		cfg.Rate = 2000
	}
	if cfg.IdentityRate == 0 {
		cfg.IdentityRate = 500
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 15 * time.Second
	}
	return &Relay{
		cfg:        cfg,
		all:        rate.NewLimiter(rate.Limit(cfg.Rate), 2*cfg.Rate),
		identities: newRates[bearer](cfg.IdentityRate, 2*cfg.IdentityRate),
	}, nil
}

// Broadcast answers what the orderer has answered, or why the envelope was not passed on; see [Config]. The statuses are Fabric's.
func (r *Relay) Broadcast(ctx context.Context, e *common.Envelope) *orderer.BroadcastResponse {
	channel, err := r.admit(e)
	if err != nil {
		return Response(err)
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	// Only what was judged: fields that Fabric does not know are left behind.
	answer, err := r.cfg.Forward(ctx, channel, &common.Envelope{Payload: e.GetPayload(), Signature: e.GetSignature()})
	if err != nil {
		return Response(Refuse(common.Status_SERVICE_UNAVAILABLE, "the orderer cannot be reached: %v", err))
	}
	return answer
}

// admit checks an envelope in Fabric's order: channel, size, signature; then the rates.
func (r *Relay) admit(e *common.Envelope) (channel string, err error) {
	m, err := Decode(e)
	if err != nil {
		return "", err
	}
	channel = m.Header.GetChannelId()
	chain := r.cfg.Chain(channel)
	if chain == nil {
		return "", Refuse(common.Status_NOT_FOUND, "channel %q is not served here", channel)
	}
	now, _ := chain.Look()
	if n, limit := len(e.GetPayload())+len(e.GetSignature()), int(now.Bundle.BatchSize().GetAbsoluteMaxBytes()); n > limit {
		return "", Refuse(common.Status_BAD_REQUEST, "the envelope has %d bytes, the channel allows %d", n, limit)
	}
	id, err := authenticate(m, now.Bundle, time.Now())
	if err != nil {
		return "", err
	}
	if !r.identities.of(bearerOf(id)).Allow() || !r.all.Allow() {
		return "", Refuse(common.Status_SERVICE_UNAVAILABLE, "too many envelopes: try again in a moment")
	}
	return channel, nil
}

// authenticate checks that a member of a channel organization has signed the envelope.
func authenticate(m *Message, bundle *channelconfig.Bundle, now time.Time) (*msp.Identity, error) {
	id, err := m.Creator()
	if err != nil {
		return nil, err
	}
	org := bundle.MSP(id.MSPID())
	if org == nil {
		return nil, Refuse(common.Status_FORBIDDEN, "organization %.64q is not in the channel", id.MSPID())
	}
	if err := id.ValidAt(now); err != nil {
		return nil, Refuse(common.Status_FORBIDDEN, "%v", err)
	}
	if err := org.Validate(id); err != nil {
		return nil, Refuse(common.Status_FORBIDDEN, "%v", err)
	}
	if err := id.Verify(m.Signed.Data, m.Signed.Signature); err != nil {
		return nil, Refuse(common.Status_FORBIDDEN, "%v", err)
	}
	return id, nil
}

// Response is the answer to an envelope for an error: the status of a *Refusal and its reason.
func Response(err error) *orderer.BroadcastResponse {
	r := &orderer.BroadcastResponse{Status: StatusOf(err)}
	if err != nil {
		r.Info = err.Error()
	}
	return r
}
