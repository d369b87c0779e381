// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync"

	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// Server serves Deliver, and Broadcast, to any number of clients.
type Server struct {
	cfg         Config
	connections *quota[string] // by IP address
	streams     *quota[string] // likewise
	identities  *quota[bearer]
	requests    *rates[string] // by IP address
	buffers     buffers
	pending     sync.WaitGroup // receives and sends of streams
}

// New returns a Server, or what is wrong with the configuration. It starts nothing.
func New(cfg Config) (*Server, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	l := cfg.Limits
	return &Server{
		cfg:         cfg,
		connections: newQuota[string](l.Connections, l.AddressConnections),
		streams:     newQuota[string](l.Streams, l.AddressStreams),
		identities:  newQuota[bearer](l.Streams, l.IdentityStreams),
		requests:    newRates[string](l.RequestRate, 2*l.RequestRate),
	}, nil
}

// Run serves on the listeners, which it closes, over TLS. It returns nil after ctx has ended, when everything that it started has; or an
// error when a listener broke. It runs once.
func (s *Server) Run(ctx context.Context, listeners ...net.Listener) error {
	server := s.grpc()
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range listeners {
		group.Go(func() error {
			if err := server.Serve(&limited{Listener: l, quota: s.connections, refused: s.turnedAway}); err != nil && ctx.Err() == nil {
				return fmt.Errorf("serve Deliver on %s: %w", l.Addr(), err)
			}
			return nil
		})
	}
	group.Go(func() error {
		<-ctx.Done()
		server.Stop() // the streams are endless: a graceful stop would wait for ever
		return nil
	})
	err := group.Wait()
	s.pending.Wait()
	return err
}

func (s *Server) turnedAway(from net.Addr) {
	s.cfg.Metrics.refused("connections")
	s.cfg.Log.Debug("too many connections: one is turned away", "from", from)
}

func (s *Server) grpc() *grpc.Server {
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(s.tls())),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(s.cfg.Limits.Message),
		grpc.MaxConcurrentStreams(streamsOfConnection),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingInterval, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPingInterval, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	)
	orderer.RegisterAtomicBroadcastServer(server, &atomicBroadcast{server: s})
	if s.cfg.Events {
		peer.RegisterDeliverServer(server, &events{server: s})
	}
	return server
}

// tls returns the server's side of TLS. The CAs of clients are asked for at each connection, because configurations change.
func (s *Server) tls() *tls.Config {
	conf := &tls.Config{Certificates: []tls.Certificate{s.cfg.Certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}, SessionTicketsDisabled: true}
	if s.cfg.ClientRoots == nil {
		return conf
	}
	conf.ClientAuth = tls.VerifyClientCertIfGiven
	if s.cfg.RequireClientCert {
		conf.ClientAuth = tls.RequireAndVerifyClientCert
	}
	follow := conf.Clone()
	follow.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		current := conf.Clone()
		current.ClientCAs = s.cfg.ClientRoots()
		return current, nil
	}
	return follow
}

// ClientRoots returns the TLS CAs of every organization in channel configurations: orderers trust clients that have a certificate of one.
func ClientRoots(bundles ...*channelconfig.Bundle) *x509.CertPool {
	roots := x509.NewCertPool()
	add := func(m *msp.MSP) {
		for _, pem := range m.TLSRoots() {
			roots.AppendCertsFromPEM(pem)
		}
	}
	for _, b := range bundles {
		for _, org := range b.Orgs() {
			add(org.MSP)
		}
		for _, org := range b.OrdererOrgs() {
			add(org.MSP)
		}
	}
	return roots
}
