// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/weft-p2p/weft/msp/channelconfig"
)

const (
	// MaxMessage is Fabric's limit for a gRPC message in either direction, in bytes.
	MaxMessage = 100 * 1024 * 1024
	// DefaultConnTimeout is the default of peer.deliveryclient.connTimeout.
	DefaultConnTimeout = 3 * time.Second
	// DefaultKeepaliveInterval is the default of peer.keepalive.deliveryClient.interval. An orderer closes connections that ask more often.
	DefaultKeepaliveInterval = 60 * time.Second
	// DefaultKeepaliveTimeout is the default of peer.keepalive.deliveryClient.timeout.
	DefaultKeepaliveTimeout = 20 * time.Second
	// maxRedial is the longest pause before a connection that is kept is dialed again, for an envelope that waits for it.
	maxRedial = 2 * time.Second
)

// connect prepares a connection to an endpoint: the first stream dials. The caller closes it.
func (c *Config) connect(e channelconfig.Endpoint) (*grpc.ClientConn, error) {
	security, err := clientTLS(e, c.ClientCert)
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("passthrough:///"+e.Address,
		grpc.WithTransportCredentials(credentials.NewTLS(security)),
		grpc.WithContextDialer(c.Dial),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: maxRedial}, MinConnectTimeout: c.ConnTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: c.KeepaliveInterval, Timeout: c.KeepaliveTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to orderer %s: %w", e.Address, err)
	}
	return conn, nil
}

// clientTLS trusts the TLS CAs of the endpoint's own organization, nobody else's. The name in the server's certificate is checked against
// the host of the address.
func clientTLS(e channelconfig.Endpoint, clientCert *tls.Certificate) (*tls.Config, error) {
	roots := x509.NewCertPool()
	for i, pem := range e.TLSRoots {
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("connect to orderer %s: TLS CA certificate %d of organization %s in the channel configuration is not a certificate", e.Address, i, e.MSPID)
		}
	}
	conf := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if clientCert != nil && expired(clientCert, time.Now()) == nil { // an orderer without mutual TLS may still serve us
		conf.Certificates = []tls.Certificate{*clientCert}
	}
	return conf, nil
}

// expired says that a client certificate has run out, or is not valid yet. One that cannot be parsed is left to the orderer.
func expired(cert *tls.Certificate, now time.Time) error {
	if cert == nil || len(cert.Certificate) == 0 {
		return nil
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	switch {
	case err != nil:
		return nil
	case now.After(leaf.NotAfter):
		return fmt.Errorf("%w: it ended at %v; renew it", ErrClientCert, leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("%w: it begins at %v; check the clock", ErrClientCert, leaf.NotBefore.UTC().Format(time.RFC3339))
	default:
		return nil
	}
}
