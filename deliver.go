// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"golang.org/x/sync/errgroup"

	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/leader/deliver"
	"github.com/weft-p2p/weft/leader/deliver/server"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// DeliverServer says how [Node.ServeDeliver] serves. Certificate is required.
type DeliverServer struct {
	Certificate tls.Certificate
	// Orderer is the address in channel configurations that clients come here in place of. Their Broadcast is passed on to it; without
	// one Broadcast is refused.
	Orderer string
	// ClientCAs, PEM, are trusted for client certificates beside the TLS CAs of the channels' organizations.
	ClientCAs []byte
	Limits    server.Limits
}

// ServeDeliver serves the blocks of the node's channels on l, which it closes, to everybody who may read them: as an orderer
// (orderer.AtomicBroadcast) and as a peer (protos.Deliver). Stock peers get there by peer.deliveryclient.addressOverrides; see
// docs/operations/stock-fabric-peers.md. It returns nil after ctx has ended, when every stream has, and [ErrClosed] when the node was
// closed. It may run more than once at a time, one listener for each orderer address.
func (n *Node) ServeDeliver(ctx context.Context, l net.Listener, d DeliverServer) error {
	s, err := n.deliverServer(d)
	if err != nil {
		_ = l.Close()
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.Run(ctx, l) })
	group.Go(func() error {
		select {
		case <-n.done:
			return ErrClosed
		case <-ctx.Done():
			return nil
		}
	})
	return group.Wait()
}

func (n *Node) deliverServer(d DeliverServer) (*server.Server, error) {
	cfg := server.Config{
		Chain: n.served, Events: true, Certificate: d.Certificate, Limits: d.Limits, Metrics: n.delivers, Log: n.logger("deliver"),
		ClientRoots: func() *x509.CertPool { return n.clientRoots(d.ClientCAs) },
	}
	if d.Orderer != "" {
		relay, err := server.NewRelay(server.RelayConfig{Chain: n.served, Forward: n.forwardTo(d.Orderer)})
		if err != nil {
			return nil, err
		}
		cfg.Broadcast = relay.Broadcast
	}
	return server.New(cfg)
}

// clientRoots are the CAs that client certificates may come from.
func (n *Node) clientRoots(more []byte) *x509.CertPool {
	var bundles []*channelconfig.Bundle
	for _, c := range n.Channels() {
		bundles = append(bundles, c.sync.Position().Bundle)
	}
	roots := server.ClientRoots(bundles...)
	roots.AppendCertsFromPEM(more)
	return roots
}

// forwardTo passes envelopes on to the orderer with an address.
func (n *Node) forwardTo(address string) func(context.Context, string, *common.Envelope) (*orderer.BroadcastResponse, error) {
	return func(ctx context.Context, channel string, e *common.Envelope) (*orderer.BroadcastResponse, error) {
		c := n.Channel(channel)
		if c == nil {
			return nil, fmt.Errorf("%w: channel %s", ErrClosed, channel)
		}
		return c.forwarder.Broadcast(ctx, address, e)
	}
}

// served is a channel as Deliver clients see it, nil if the node is not in it.
func (n *Node) served(channel string) server.Chain {
	if c := n.Channel(channel); c != nil {
		return served{c}
	}
	return nil
}

type served struct{ *Channel }

func (s served) Look() (server.State, <-chan struct{}) {
	at, moved, err := s.sync.Watch()
	if err == nil {
		err = s.lag.Observe(now(), at.Height, s.sync.VerifiedHeight())
	}
	return server.State{Height: at.Height, Bundle: at.Bundle, Stuck: err}, moved
}

func (s served) Read(first, last uint64, buf []byte) ([][]byte, error) {
	if l, ok := s.ledger.(*ledger.Ledger); ok {
		return l.Read(first, last, buf)
	}
	raw, err := s.ledger.Bytes(first)
	return [][]byte{raw}, err
}

// orderersConfig is how we talk to the orderers of a channel.
func (c *Channel) orderersConfig(j *joinConfig) deliver.Config {
	ahead := c.ahead
	if j.deliver.Simple {
		ahead = nil
	}
	return deliver.Config{
		Channel: c.id, Signer: c.node.signer, ClientCert: j.tlsClient, Dial: j.dial, Log: c.node.logger("leader"), Overrides: j.deliver.Overrides,
		ConnTimeout: j.deliver.ConnTimeout, KeepaliveInterval: j.deliver.KeepaliveInterval, KeepaliveTimeout: j.deliver.KeepaliveTimeout,
		Endpoints: func() []channelconfig.Endpoint { return c.sync.Position().Bundle.Endpoints() }, Verifier: ahead,
	}
}
