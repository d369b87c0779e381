// SPDX-License-Identifier: Apache-2.0

package orderer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/weft-p2p/weft/msp/channelconfig"
)

// reader is who asks for blocks, for the time of one request.
type reader struct {
	channel string
	data    []byte // SeekInfo
	signed  channelconfig.SignedData
	expires time.Time
	granted *channelconfig.Bundle // the configuration that let it read, nil at first
}

// request checks what a Deliver request says about itself: time and TLS binding. What it may read is checked later.
func (o *Orderer) request(ctx context.Context, e *common.Envelope) (*reader, error) {
	m, err := decode(e)
	if err != nil {
		return nil, err
	}
	if err := checkTime(m.header, time.Now(), o.cfg.TimeWindow); err != nil {
		return nil, err
	}
	if o.cfg.ClientAuth {
		if err := checkBinding(ctx, m.header); err != nil {
			return nil, err
		}
	}
	id, err := creator(m.signed)
	if err != nil {
		return nil, err
	}
	return &reader{channel: m.header.GetChannelId(), data: m.data, signed: m.signed, expires: id.ExpiresAt()}, nil
}

// evaluate checks /Channel/Readers, once for each configuration, and the certificate's end, each time.
func (r *reader) evaluate(bundle *channelconfig.Bundle) error {
	if time.Now().After(r.expires) {
		return refuse(common.Status_FORBIDDEN, "the client's certificate has expired")
	}
	if r.granted == bundle {
		return nil
	}
	if err := bundle.Evaluate(channelconfig.PolicyReaders, []channelconfig.SignedData{r.signed}); err != nil {
		return refuse(common.Status_FORBIDDEN, "%v", err)
	}
	r.granted = bundle
	return nil
}

func checkTime(h *common.ChannelHeader, now time.Time, window time.Duration) error {
	if err := h.GetTimestamp().CheckValid(); err != nil {
		return refuse(common.Status_BAD_REQUEST, "timestamp: %v", err)
	}
	if off := now.Sub(h.GetTimestamp().AsTime()).Abs(); off > window {
		return refuse(common.Status_BAD_REQUEST, "the client's clock is off by %v, allowed are %v", off, window)
	}
	return nil
}

// checkBinding compares the header's tls_cert_hash with the certificate that the client showed in the TLS handshake.
func checkBinding(ctx context.Context, h *common.ChannelHeader) error {
	caller, _ := peer.FromContext(ctx)
	if caller == nil {
		return refuse(common.Status_BAD_REQUEST, "no connection to bind to")
	}
	info, ok := caller.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return refuse(common.Status_BAD_REQUEST, "no client certificate to bind to")
	}
	if hash := sha256.Sum256(info.State.PeerCertificates[0].Raw); !bytes.Equal(hash[:], h.GetTlsCertHash()) {
		return refuse(common.Status_BAD_REQUEST, "tls_cert_hash is not that of the client certificate")
	}
	return nil
}
