// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// errRefreshed ends a stream whose endpoints the channel configuration has replaced.
var errRefreshed = errors.New("deliver: the orderer endpoints changed")

var (
	_ leader.Source      = (*Client)(nil)
	_ leader.Located     = (*Client)(nil)
	_ leader.Blamed      = (*Client)(nil)
	_ leader.Foresighted = (*Client)(nil)
)

// Config is what a [Client] needs. Channel, Endpoints and Signer are required. The functions are called before each stream.
type Config struct {
	Channel    string
	Endpoints  func() []channelconfig.Endpoint // of the configuration in force; the order does not matter
	Signer     func() *msp.SigningIdentity     // signs the requests
	ClientCert *tls.Certificate                // for orderers that require mutual TLS; nil: none
	Overrides  []Override                      // change what Endpoints returns

	// Verifier returns a verifier of what follows our height, which the client may move. While the consensus type is BFT, headers are pulled
	// from other endpoints than the blocks; see [Client.Known]. Nil: they never are.
	Verifier func() *channelconfig.Verifier

	// Dial opens the connection that TLS then runs over; nil: TCP. It must return soon after ctx ends.
	Dial func(ctx context.Context, addr string) (net.Conn, error)

	ConnTimeout       time.Duration // for dialing and handshakes; default 3 s
	KeepaliveInterval time.Duration // default 60 s
	KeepaliveTimeout  time.Duration // default 20 s

	Rand *rand.Rand   // order of the endpoints; nil: a random seed. Used inside Pull alone
	Log  *slog.Logger // nil: none
}

func (c *Config) normalize() error {
	if c.Channel == "" || c.Endpoints == nil || c.Signer == nil {
		return errors.New("deliver: Channel, Endpoints and Signer are required")
	}
	if c.ConnTimeout < 0 || c.KeepaliveInterval < 0 || c.KeepaliveTimeout < 0 {
		return errors.New("deliver: a timeout cannot be negative")
	}
	c.Endpoints = overridden(c.Endpoints, c.Overrides)
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	setDefault(&c.ConnTimeout, DefaultConnTimeout)
	setDefault(&c.KeepaliveInterval, DefaultKeepaliveInterval)
	setDefault(&c.KeepaliveTimeout, DefaultKeepaliveTimeout)
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("channel", c.Channel)
	return nil
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Client pulls the blocks of one channel from its ordering service. One Pull runs at a time; the other methods are safe for concurrent use.
type Client struct {
	cfg      Config
	rotation rotation // used by Pull and Blame
	last     string   // address that Pull asked last; likewise

	mu   sync.Mutex // guards open
	open *stream    // the stream that runs now, or nil
}

// stream is what the other methods know of the running Pull.
type stream struct {
	endpoint  string
	endpoints []channelconfig.Endpoint
	asked     bool      // the request was sent
	front     *frontier // of its blocks, and of headers from elsewhere
	cancel    context.CancelCauseFunc
}

// New returns a Client, or what is wrong with the configuration. It starts nothing.
func New(cfg Config) (*Client, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, rotation: rotation{rand: cfg.Rand}}, nil
}

// Pull opens one stream and passes the blocks from a number on to submit, until the stream breaks, submit fails or ctx ends; see
// [leader.Source]. The error names the endpoint. It is nil after [Client.Refresh] has ended the stream. On return the connection is closed.
func (c *Client) Pull(ctx context.Context, from uint64, submit leader.Submit) error {
	endpoints := c.cfg.Endpoints()
	endpoint, ok := c.rotation.pick(time.Now(), endpoints)
	if !ok {
		return fmt.Errorf("%w: channel %s", ErrNoEndpoints, c.cfg.Channel)
	}
	c.last = endpoint.Address
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	front := newFrontier(from)
	c.set(&stream{endpoint: endpoint.Address, endpoints: endpoints, front: front, cancel: cancel})
	defer c.set(nil)
	c.Refresh() // for a change since the endpoints were read

	stop := c.watch(ctx, front)
	err := c.stream(ctx, endpoint, from, func(ctx context.Context, b *common.Block) error {
		front.move(b.Header.Number + 1)
		return submit(ctx, b)
	})
	cancel(nil)
	stop()
	if errors.Is(context.Cause(ctx), errRefreshed) {
		c.cfg.Log.Debug("the orderer endpoints changed: reconnecting", "endpoint", endpoint.Address)
		return nil
	}
	c.rotation.advance()
	if errors.Is(err, leader.ErrRefused) {
		return err // Blame will name the endpoint
	}
	return fmt.Errorf("orderer %s: %w", endpoint.Address, err)
}

// Blame leaves the endpoint that Pull asked last for a while: see [leader.Blamed].
func (c *Client) Blame(err error) error {
	d := c.rotation.bar(time.Now(), c.last)
	return fmt.Errorf("orderer %s, which is left for %v if there is another: %w", c.last, d, err)
}

// watch follows the headers at other endpoints until ctx ends, as far as the channel has them. stop waits for that.
func (c *Client) watch(ctx context.Context, front *frontier) (stop func()) {
	var receivers sync.WaitGroup
	if c.cfg.Verifier == nil {
		return receivers.Wait
	}
	spare := &roster{free: c.rotation.others(time.Now())}
	for range witnesses(c.cfg.Verifier(), len(spare.free)+1) {
		receivers.Go(func() { c.attest(ctx, spare, front) })
	}
	return receivers.Wait
}

// Known returns the height below which headers from other endpoints than the block source's were verified since the stream began, 0 if
// there were none; see [leader.Foresighted]. They are read up to 16 blocks ahead of the source.
func (c *Client) Known() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		return 0
	}
	return c.open.front.height()
}

// Endpoint returns the address of the orderer that was asked for blocks and has not hung up, "" when there is none.
func (c *Client) Endpoint() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil || !c.open.asked {
		return ""
	}
	return c.open.endpoint
}

// Refresh ends the running stream when the configuration names other endpoints or TLS roots than when the stream was opened. Call it after
// a config block has come into force, as Fabric does. It does not wait.
func (c *Client) Refresh() {
	current := c.cfg.Endpoints()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open != nil && !sameEndpoints(c.open.endpoints, current) {
		c.open.cancel(errRefreshed)
	}
}

func (c *Client) set(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = s
}

func (c *Client) markAsked() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open != nil {
		c.open.asked = true
	}
}
