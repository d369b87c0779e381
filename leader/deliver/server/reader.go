// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// reader is who asks for blocks, for the time of one request.
type reader struct {
	channel string
	data    []byte // SeekInfo
	signed  channelconfig.SignedData
	id      *msp.Identity
	policy  func(*channelconfig.Bundle) string
	granted *channelconfig.Bundle // the configuration that let it read, nil at first
}

// request checks what a Deliver request says about itself: size, time and TLS binding. What it may read is judged later.
func (s *Server) request(ctx context.Context, e *common.Envelope, policy func(*channelconfig.Bundle) string) (*reader, error) {
	if n := len(e.GetPayload()) + len(e.GetSignature()); n > s.cfg.Limits.Request {
		return nil, Refuse(common.Status_BAD_REQUEST, "the request has %d bytes, the limit is %d", n, s.cfg.Limits.Request)
	}
	m, err := Decode(e)
	if err != nil {
		return nil, err
	}
	if err := checkTime(m.Header, time.Now(), s.cfg.TimeWindow); err != nil {
		return nil, err
	}
	if err := s.checkBinding(ctx, m.Header); err != nil {
		return nil, err
	}
	id, err := m.Creator()
	if err != nil {
		return nil, err
	}
	return &reader{channel: m.Header.GetChannelId(), data: m.Data, signed: m.Signed, id: id, policy: policy}, nil
}

// judge checks the policy, once for each configuration, and the certificate's end, each time. Fabric's rule for sessions.
func (r *reader) judge(now time.Time, bundle *channelconfig.Bundle) error {
	if now.After(r.id.ExpiresAt()) {
		return Refuse(common.Status_FORBIDDEN, "the client's certificate has expired")
	}
	if r.granted == bundle {
		return nil
	}
	if err := bundle.Evaluate(r.policy(bundle), []channelconfig.SignedData{r.signed}); err != nil {
		return Refuse(common.Status_FORBIDDEN, "%v", err)
	}
	r.granted = bundle
	return nil
}

func checkTime(h *common.ChannelHeader, now time.Time, window time.Duration) error {
	if err := h.GetTimestamp().CheckValid(); err != nil {
		return Refuse(common.Status_BAD_REQUEST, "timestamp: %v", err)
	}
	if off := now.Sub(h.GetTimestamp().AsTime()).Abs(); off > window {
		return Refuse(common.Status_BAD_REQUEST, "the client's clock is off by %v, allowed are %v", off, window)
	}
	return nil
}

// checkBinding compares the header's tls_cert_hash with the certificate that the client showed in the TLS handshake. Without one the hash
// means nothing, as with an orderer that has no mutual TLS.
func (s *Server) checkBinding(ctx context.Context, h *common.ChannelHeader) error {
	shown := clientCertificate(ctx)
	if shown == nil && !s.cfg.RequireClientCert {
		return nil
	}
	if shown == nil {
		return Refuse(common.Status_BAD_REQUEST, "no client certificate to bind to")
	}
	if hash := sha256.Sum256(shown); !bytes.Equal(hash[:], h.GetTlsCertHash()) {
		return Refuse(common.Status_BAD_REQUEST, "tls_cert_hash is not that of the client certificate")
	}
	return nil
}

// clientCertificate returns the DER of the verified certificate that the client has shown, nil for none.
func clientCertificate(ctx context.Context) []byte {
	caller, _ := peer.FromContext(ctx)
	if caller == nil {
		return nil
	}
	info, ok := caller.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return nil
	}
	return info.State.PeerCertificates[0].Raw
}
