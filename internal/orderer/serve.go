// SPDX-License-Identifier: Apache-2.0

package orderer

import (
	"context"
	"crypto/x509"
	"net"

	"golang.org/x/sync/errgroup"

	"github.com/weft-p2p/weft/leader/deliver/server"
)

// Serve orders transactions and serves clients on the listeners, which it closes; without a listener it serves [Orderer.Order] alone. It
// returns nil after ctx has ended, when every stream has; or an error when a block could not be kept or a listener broke. It runs once.
func (o *Orderer) Serve(ctx context.Context, listeners ...net.Listener) error {
	if !o.serving.CompareAndSwap(false, true) {
		return ErrServing
	}
	o.cfg.Log.Info("DEVELOPMENT ordering service: one process, no consensus; not for production", "height", o.Height())
	s, err := o.server()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return o.order(ctx) })
	group.Go(func() error { return s.Run(ctx, listeners...) })
	return group.Wait()
}

// server is that of package leader/deliver, with as few limits as a real orderer has.
func (o *Orderer) server() (*server.Server, error) {
	cfg := server.Config{
		Chain:       o.chain,
		Broadcast:   o.broadcast,
		Certificate: o.cfg.TLS,
		TimeWindow:  o.cfg.TimeWindow,
		Limits: server.Limits{
			Connections: unlimited, AddressConnections: unlimited, Streams: unlimited, AddressStreams: unlimited, IdentityStreams: unlimited,
			RequestRate: unlimited, Message: server.MaxMessage,
		},
		Opened: o.streams.enter,
		Log:    o.cfg.Log,
	}
	if o.cfg.ClientAuth {
		cfg.RequireClientCert = true
		cfg.ClientRoots = func() *x509.CertPool { return server.ClientRoots(o.Bundle()) }
	}
	return server.New(cfg)
}

// unlimited is more than one machine has.
const unlimited = 1 << 20

// chain is what clients can read.
func (o *Orderer) chain(channel string) server.Chain {
	if channel != o.channel {
		return nil
	}
	return view{o}
}

// view shows an Orderer as a [server.Chain].
type view struct{ *Orderer }

func (v view) Look() (server.State, <-chan struct{}) { return v.look() }

func (v view) Read(first, _ uint64, _ []byte) ([][]byte, error) {
	raw, err := v.cfg.Ledger.Bytes(first)
	return [][]byte{raw}, err
}
