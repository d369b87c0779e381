// SPDX-License-Identifier: Apache-2.0

package orderer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/weft-p2p/weft/msp/channelconfig"
)

const (
	// maxMessage is Fabric's limit in either direction, in bytes.
	maxMessage = 100 * 1024 * 1024
	// Keepalive of Fabric's orderers (General.Keepalive). Pings are tolerated at half of Fabric's interval, because peers are configured
	// with exactly that interval and a timer may fire early.
	serverInterval = 7200 * time.Second
	serverTimeout  = 20 * time.Second
	minInterval    = 30 * time.Second
	// handshakeTimeout bounds how long a connection may take before its first RPC.
	handshakeTimeout = 10 * time.Second
)

// Serve orders transactions and serves clients on the listeners, which it closes; without a listener it serves [Orderer.Order] alone. It
// returns nil after ctx has ended, when every stream has; or an error when a block could not be kept or a listener broke. It runs once.
func (o *Orderer) Serve(ctx context.Context, listeners ...net.Listener) error {
	if !o.serving.CompareAndSwap(false, true) {
		return ErrServing
	}
	o.cfg.Log.Info("DEVELOPMENT ordering service: one process, no consensus; not for production", "height", o.Height())
	server := o.server()
	orderer.RegisterAtomicBroadcastServer(server, o)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return o.order(ctx) })
	for _, l := range listeners {
		group.Go(func() error {
			if err := server.Serve(l); err != nil && ctx.Err() == nil {
				return fmt.Errorf("serve %s: %w", l.Addr(), err)
			}
			return nil
		})
	}
	group.Go(func() error {
		<-ctx.Done()
		server.Stop()
		return nil
	})
	return group.Wait()
}

func (o *Orderer) server() *grpc.Server {
	return grpc.NewServer(
		grpc.Creds(credentials.NewTLS(o.tls())),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxMessage),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: serverInterval, Timeout: serverTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minInterval, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	)
}

// tls returns the server's side of TLS. Under mutual TLS the trusted roots follow the channel configuration, as with a real orderer.
func (o *Orderer) tls() *tls.Config {
	conf := &tls.Config{Certificates: []tls.Certificate{o.cfg.TLS}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}, SessionTicketsDisabled: true}
	if !o.cfg.ClientAuth {
		return conf
	}
	conf.ClientAuth = tls.RequireAndVerifyClientCert
	follow := conf.Clone()
	follow.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		current := conf.Clone()
		current.ClientCAs = clientRoots(o.Bundle())
		return current, nil
	}
	return follow
}

// clientRoots are the TLS roots of every organization in the channel.
func clientRoots(bundle *channelconfig.Bundle) *x509.CertPool {
	roots := x509.NewCertPool()
	for _, org := range bundle.Orgs() {
		for _, pem := range org.MSP.TLSRoots() {
			roots.AppendCertsFromPEM(pem)
		}
	}
	for _, org := range bundle.OrdererOrgs() {
		for _, pem := range org.MSP.TLSRoots() {
			roots.AppendCertsFromPEM(pem)
		}
	}
	return roots
}
