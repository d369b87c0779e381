// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
)

// Fabric's constants.
const (
	// DefaultTimeWindow is General.Authentication.TimeWindow of orderers and peer.authentication.timewindow of peers.
	DefaultTimeWindow = 15 * time.Minute
	// MaxMessage is the limit of a gRPC message in either direction, in bytes.
	MaxMessage = 100 << 20
)

// Config is what a [Server] needs. Chain and Certificate are required.
type Config struct {
	// Chain returns the channel with an ID, nil if it is not served. It is called for each request.
	Chain func(channel string) Chain
	// Broadcast answers an envelope of orderer.AtomicBroadcast/Broadcast. nil: SERVICE_UNAVAILABLE to all.
	Broadcast func(ctx context.Context, e *common.Envelope) *orderer.BroadcastResponse
	// Events adds the peer's protos.Deliver.
	Events bool

	Certificate tls.Certificate // of the server
	// ClientRoots are the CAs of client certificates; it is called for each connection. nil: clients are not asked for certificates.
	ClientRoots func() *x509.CertPool
	// RequireClientCert refuses who has none. Else a certificate is verified if it is given.
	RequireClientCert bool

	TimeWindow time.Duration // how far a client's clock may be off; 0: DefaultTimeWindow
	Limits     Limits        // of this server, over all of its listeners
	// Opened, if set, is called when a stream of orderer.AtomicBroadcast/Deliver opens, and what it returns when that has ended.
	Opened  func() (closed func())
	Metrics *Metrics     // nil: none
	Log     *slog.Logger // nil: none
}

// Limits bound what clients can take. Zero is the default of each, see [DefaultLimits].
type Limits struct {
	Connections        int           // in all
	AddressConnections int           // of one IP address
	Streams            int           // in all, of all RPCs
	AddressStreams     int           // of one IP address
	IdentityStreams    int           // Deliver requests of one certificate under way at a time
	RequestRate        int           // Deliver requests of one IP address in a second, twice as many at once; who is faster waits
	Request            int           // bytes of a Deliver request
	Message            int           // bytes of any message of a client
	RequestTimeout     time.Duration // for the first message of a stream
	IdleTimeout        time.Duration // for a later message
	// SendTimeout is how long a client may leave a block unread, and a second more for each 64 KiB of the block.
	SendTimeout time.Duration
}

// minRate is how fast a big block has to be read, in bytes a second: that of weft's own range protocol.
const minRate = 64 << 10

// streamsOfConnection is how many streams a connection may have. Stock peers have one.
const streamsOfConnection = 64

// Keepalive. A stock peer pings every 60 s, also without a stream, and the gateway in it every 10 s.
const (
	pingInterval    = 60 * time.Second
	pingTimeout     = 20 * time.Second
	minPingInterval = 5 * time.Second
	// handshakeTimeout is for a connection until its HTTP/2 preface is there.
	handshakeTimeout = 10 * time.Second
)

func (c *Config) normalize() error {
	if c.Chain == nil || len(c.Certificate.Certificate) == 0 {
		return errors.New("server: Chain and Certificate are required")
	}
	if c.RequireClientCert && c.ClientRoots == nil {
		return errors.New("server: RequireClientCert needs ClientRoots")
	}
	if c.TimeWindow < 0 {
		return errors.New("server: TimeWindow cannot be negative")
	}
	if c.TimeWindow == 0 {
		c.TimeWindow = DefaultTimeWindow
	}
	if c.Opened == nil {
		c.Opened = func() func() { return func() {} }
	}
	if c.Broadcast == nil {
		c.Broadcast = doesNotOrder
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c.Limits.normalize()
}

// DefaultLimits returns the defaults.
func DefaultLimits() Limits {
	return Limits{
		Connections: 1024, AddressConnections: 128, Streams: 1024, AddressStreams: 128, IdentityStreams: 64,
		RequestRate: 100, Request: 64 << 10, Message: 16 << 20,
		RequestTimeout: 10 * time.Second, IdleTimeout: 10 * time.Minute, SendTimeout: time.Minute,
	}
}

func (l *Limits) normalize() error {
	d := DefaultLimits()
	return errors.Join(
		defaulted(&l.Connections, d.Connections), defaulted(&l.AddressConnections, d.AddressConnections),
		defaulted(&l.Streams, d.Streams), defaulted(&l.AddressStreams, d.AddressStreams), defaulted(&l.IdentityStreams, d.IdentityStreams),
		defaulted(&l.RequestRate, d.RequestRate), defaulted(&l.Request, d.Request), defaulted(&l.Message, d.Message),
		defaulted(&l.RequestTimeout, d.RequestTimeout), defaulted(&l.IdleTimeout, d.IdleTimeout), defaulted(&l.SendTimeout, d.SendTimeout),
	)
}

func defaulted[N int | time.Duration](limit *N, value N) error {
	if *limit < 0 {
		return fmt.Errorf("server: limit %d is negative", *limit)
	}
	if *limit == 0 {
		*limit = value
	}
	return nil
}

func doesNotOrder(context.Context, *common.Envelope) *orderer.BroadcastResponse {
	return &orderer.BroadcastResponse{Status: common.Status_SERVICE_UNAVAILABLE, Info: "this node does not order"}
}
