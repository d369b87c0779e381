// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"testing/synctest"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader/deliver/server"
)

// Stock peers show a client certificate only under mutual TLS: it is verified if it is given, and then the request is bound to it.
func TestClientCertificateIsOptional(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		newcomer := orderertest.Org(t, "Org3")
		cfg := c.config()
		cfg.ClientRoots = func() *x509.CertPool {
			now, _ := c.Look()
			return server.ClientRoots(now.Bundle)
		}
		s := serve(t, c, cfg)
		hash := func(cert *tls.Certificate) []byte {
			sum := sha256.Sum256(cert.Certificate[0])
			return sum[:]
		}
		ours, theirs := orderertest.ClientTLS(t, c.net.Org1), orderertest.ClientTLS(t, newcomer)
		fetch := func(cert *tls.Certificate, change ...func(*ask)) (common.Status, error) {
			stream, err := s.connect(t, cert).Deliver(t.Context())
			if err != nil {
				return 0, err
			}
			_ = stream.Send(c.request(seek(newest(), newest()), change...))
			_, got, err := receive(stream)
			return got, err
		}
		for name, tc := range map[string]struct {
			cert   *tls.Certificate
			change []func(*ask)
			status common.Status
		}{
			"no certificate":                {nil, nil, success},
			"no certificate, some hash":     {nil, []func(*ask){bound([]byte("some"))}, success},
			"certificate and hash":          {ours, []func(*ask){bound(hash(ours))}, success},
			"certificate without hash":      {ours, nil, common.Status_BAD_REQUEST},
			"hash of another's certificate": {ours, []func(*ask){bound(hash(theirs))}, common.Status_BAD_REQUEST},
			"orderer organization's client": {orderertest.ClientTLS(t, c.net.Ordering), nil, common.Status_BAD_REQUEST},
		} {
			got, err := fetch(tc.cert, tc.change...)
			require.NoError(t, err, name)
			require.Equal(t, tc.status, got, name)
		}
		_, err := fetch(theirs, bound(hash(theirs)))
		require.Equal(t, codes.Unavailable, status.Code(err), "a CA of nobody in the channel")
		c.configure(t, devnet.AddOrg(newcomer))
		got, err := fetch(theirs, bound(hash(theirs)))
		require.NoError(t, err)
		require.Equal(t, success, got, "the CAs follow the configuration")
	})
}
