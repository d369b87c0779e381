// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/pnet"
	"github.com/libp2p/go-libp2p/core/transport"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weft-p2p/weft/internal/simtest"
)

// wire hears every byte that reaches a host: of every stream of every connection, whatever protocol it is of, with the
// negotiation of the protocol and with what libp2p says by itself. A nil wire hears nothing.
type wire struct {
	mu    sync.Mutex // guards heard
	heard []piece
}

// piece is what one read of a stream brought.
type piece struct {
	from   peer.ID
	stream network.MuxedStream
	at     time.Time
	data   []byte
}

// options are those of a host of the network, with the wire between it and its transport.
func (w *wire) options(n *simtest.Net, i int) []libp2p.Option {
	if w == nil {
		return n.Options(i)
	}
	return n.OptionsOver(i, func(key crypto.PrivKey, cm *quicreuse.ConnManager, psk pnet.PSK, gater connmgr.ConnectionGater, rm network.ResourceManager) (transport.Transport, error) {
		t, err := libp2pquic.NewTransport(key, cm, psk, gater, rm)
		return tappedTransport{t, w}, err
	})
}

// from is all that a peer sent since a time, stream by stream.
func (w *wire) from(id peer.ID, since time.Time) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	var order []network.MuxedStream
	streams := map[network.MuxedStream]*bytes.Buffer{}
	for _, p := range w.heard {
		if p.from != id || p.at.Before(since) {
			continue
		}
		if streams[p.stream] == nil {
			streams[p.stream] = &bytes.Buffer{}
			order = append(order, p.stream)
		}
		streams[p.stream].Write(p.data)
	}
	var all []byte
	for _, s := range order {
		all = append(all, streams[s].Bytes()...)
	}
	return all
}

type tappedTransport struct {
	transport.Transport
	wire *wire
}

func (t tappedTransport) Dial(ctx context.Context, addr ma.Multiaddr, id peer.ID) (transport.CapableConn, error) {
	c, err := t.Transport.Dial(ctx, addr, id)
	if err != nil {
		return nil, err
	}
	return tappedConn{c, t.wire}, nil
}

func (t tappedTransport) Listen(addr ma.Multiaddr) (transport.Listener, error) {
	l, err := t.Transport.Listen(addr)
	return tappedListener{l, t.wire}, err
}

type tappedListener struct {
	transport.Listener
	wire *wire
}

func (l tappedListener) Accept() (transport.CapableConn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tappedConn{c, l.wire}, nil
}

type tappedConn struct {
	transport.CapableConn
	wire *wire
}

func (c tappedConn) OpenStream(ctx context.Context) (network.MuxedStream, error) {
	s, err := c.CapableConn.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	return tappedStream{s, c}, nil
}

func (c tappedConn) AcceptStream() (network.MuxedStream, error) {
	s, err := c.CapableConn.AcceptStream()
	if err != nil {
		return nil, err
	}
	return tappedStream{s, c}, nil
}

type tappedStream struct {
	network.MuxedStream
	conn tappedConn
}

func (s tappedStream) Read(b []byte) (int, error) {
	n, err := s.MuxedStream.Read(b)
	if n > 0 {
		w := s.conn.wire
		w.mu.Lock()
		defer w.mu.Unlock()
		w.heard = append(w.heard, piece{s.conn.RemotePeer(), s.MuxedStream, time.Now(), slices.Clone(b[:n])})
	}
	return n, err
}
