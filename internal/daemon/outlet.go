// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/coreyaml"
	"github.com/weft-p2p/weft/leader/deliver/server"
)

// outlet is an open listener of weft.deliver.listeners.
type outlet struct {
	listener net.Listener
	server   weft.DeliverServer
}

// openOutlets opens what weft.deliver.listeners names.
func (d *Daemon) openOutlets() error {
	for _, l := range d.core.DeliverListeners {
		o, err := openOutlet(l, d.core.DeliverLimits)
		if err != nil {
			return err
		}
		d.outlets = append(d.outlets, o)
		d.opened = append(d.opened, func() error { return ignoreClosed(o.listener.Close()) })
		d.log.Info("serves Deliver", "address", o.listener.Addr(), "orderer", l.Orderer)
	}
	return nil
}

func openOutlet(l coreyaml.DeliverListener, limits coreyaml.DeliverLimits) (outlet, error) {
	o := outlet{server: weft.DeliverServer{
		Orderer: l.Orderer,
		Limits:  server.Limits{Streams: limits.Streams, AddressStreams: limits.AddressStreams, Message: limits.Message},
	}}
	var err error
	if o.server.Certificate, err = tls.LoadX509KeyPair(l.Cert, l.Key); err != nil {
		return o, fmt.Errorf("TLS certificate of %s, of weft.deliver.listeners: %w", l.Listen, err)
	}
	if l.ClientCAs != "" {
		if o.server.ClientCAs, err = os.ReadFile(l.ClientCAs); err != nil {
			return o, fmt.Errorf("clientCAsFile of %s, of weft.deliver.listeners: %w", l.Listen, err)
		}
	}
	o.listener, err = net.Listen("tcp", l.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return o, fmt.Errorf("address %s is in use; another process listens there; change weft.deliver.listeners: %w", l.Listen, err)
	}
	if err != nil {
		return o, fmt.Errorf("listen on %s, of weft.deliver.listeners: %w", l.Listen, err)
	}
	return o, nil
}

// serve serves until ctx ends. That the node has ended is for others to say.
func (o outlet) serve(ctx context.Context, n *weft.Node) error {
	if err := n.ServeDeliver(ctx, o.listener, o.server); err != nil && !errors.Is(err, weft.ErrClosed) {
		return err
	}
	return nil
}
