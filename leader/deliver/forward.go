// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/grpc"

	"github.com/weft-p2p/weft/msp/channelconfig"
)

// ErrNotOrderer: the channel configuration names no orderer with that address.
var ErrNotOrderer = errors.New("deliver: no orderer of the channel has this address")

// Forwarder passes envelopes of one channel on to its orderers, with orderer.AtomicBroadcast/Broadcast. It keeps a connection to each
// orderer that it was asked for. Its methods are safe for concurrent use.
type Forwarder struct {
	cfg       Config
	endpoints func() []channelconfig.Endpoint // as the configuration in force names them

	mu     sync.Mutex // guards both
	routes map[string]route
	closed bool
}

// route is a connection, and what it was made for.
type route struct {
	endpoint channelconfig.Endpoint
	conn     *grpc.ClientConn
}

// NewForwarder returns a Forwarder, or what is wrong with the configuration. It starts nothing. Who calls it calls Close.
func NewForwarder(cfg Config) (*Forwarder, error) {
	endpoints := cfg.Endpoints
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	return &Forwarder{cfg: cfg, endpoints: endpoints, routes: map[string]route{}}, nil
}

// Broadcast sends an envelope to the orderer with an address of the channel configuration, and returns what it answers; it waits for that
// until ctx ends. [Override] applies.
func (f *Forwarder) Broadcast(ctx context.Context, address string, e *common.Envelope) (*orderer.BroadcastResponse, error) {
	conn, err := f.route(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := orderer.NewAtomicBroadcastClient(conn).Broadcast(ctx)
	if err != nil {
		return nil, fmt.Errorf("orderer %s: %w", address, err)
	}
	if err := stream.Send(e); err != nil && !errors.Is(err, io.EOF) { // EOF: the read has the reason
		return nil, fmt.Errorf("orderer %s: send: %w", address, err)
	}
	_ = stream.CloseSend() // never fails
	answer, err := stream.Recv()
	if err != nil {
		return nil, fmt.Errorf("orderer %s: %w", address, err)
	}
	_, _ = stream.Recv() // the end of the stream: an orderer warns of each one that is cancelled
	return answer, nil
}

// route returns the connection to an orderer. One whose TLS roots have changed since is replaced.
func (f *Forwarder) route(address string) (*grpc.ClientConn, error) {
	endpoint, ok := f.find(address)
	if !ok {
		return nil, fmt.Errorf("%w: %s, channel %s", ErrNotOrderer, address, f.cfg.Channel)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, net.ErrClosed
	}
	old, ok := f.routes[address]
	if ok && sameEndpoint(old.endpoint, endpoint) {
		return old.conn, nil
	}
	conn, err := f.cfg.connect(endpoint)
	if err != nil {
		return nil, err
	}
	if ok {
		_ = old.conn.Close()
	}
	f.routes[address] = route{endpoint, conn}
	return conn, nil
}

// find returns the endpoint with an address of the channel configuration, as the overrides have it.
func (f *Forwarder) find(address string) (channelconfig.Endpoint, bool) {
	for _, e := range f.endpoints() {
		if e.Address == address {
			return override(e, f.cfg.Overrides), true
		}
	}
	return channelconfig.Endpoint{}, false
}

// Close closes the connections; calls that are under way end with an error. It may be called more than once.
func (f *Forwarder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	var errs []error
	for address, r := range f.routes {
		errs = append(errs, r.conn.Close())
		delete(f.routes, address)
	}
	return errors.Join(errs...)
}
