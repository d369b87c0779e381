// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	golog "github.com/ipfs/go-log/v2"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-p2p/weft/blocksync"
	weftHost "github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/leader/deliver"
	"github.com/weft-p2p/weft/membership"
)

// Guard keeps everybody out of weft's topics who does not belong there; see [NewGuard].
type Guard = weftHost.Guard

// NewGuard makes a guard. Its PubSubOptions must be given to the PubSub when that is built, and the guard to [New]: a
// PubSub takes a peer filter only then. Without a guard weft joins no topic, and says everything over its own streams.
func NewGuard() *Guard { return weftHost.NewGuard() }

// Source is where a leader pulls blocks from; the default is the channel's ordering service.
type Source = leader.Source

// Ledger is where a channel's blocks are committed; the default is the embedded one, below the data directory.
type Ledger = blocksync.Ledger

// config is what the options of New set.
type config struct {
	guard      *Guard
	ownsHost   bool
	dataDir    string
	base, log  *slog.Logger // as given, and named for what the root package says
	registerer prometheus.Registerer
	bootstrap  []string
	anchors    map[string]string
	external   func() []ma.Multiaddr
	internal   []ma.Multiaddr
	orgSecret  []byte
	timing     membership.Timing
	fullMesh   int
	fanOut     int
	parity     bool
}

// Option changes a default of New.
type Option func(*config)

// WithGuard says that the PubSub was built with the options of g. One guard serves one node.
func WithGuard(g *Guard) Option { return func(c *config) { c.guard = g } }

// WithHostOwned says that the host serves weft alone, so that connections of peers that are refused may be closed. On other
// hosts weft refuses its own streams and topics and leaves the connections alone.
func WithHostOwned() Option { return func(c *config) { c.ownsHost = true } }

// WithDataDir keeps ledgers and the incarnation of this node below dir. Without it every channel needs [WithLedger].
func WithDataDir(dir string) Option { return func(c *config) { c.dataDir = dir } }

// WithLogger logs to l. The default is go-log, which GOLOG_LOG_LEVEL governs. Every line has an attribute "logger": weft, or
// weft.host, weft.topics, weft.membership, weft.leader, weft.blocksync.
func WithLogger(l *slog.Logger) Option { return func(c *config) { c.log = l } }

// WithRegisterer registers the node's metrics with r. The default is none.
func WithRegisterer(r prometheus.Registerer) Option { return func(c *config) { c.registerer = r } }

// WithBootstrap gives addresses of members of our own organization to find the others through: host:port, or a multiaddr
// with or without a peer ID (peer.gossip.bootstrap).
func WithBootstrap(addrs ...string) Option { return func(c *config) { c.bootstrap = addrs } }

// WithAnchorOverrides maps anchor peers of channel configurations, host:port, to the weft nodes beside them
// (weft.anchorOverrides): the configuration names the gRPC port of a stock peer.
func WithAnchorOverrides(from map[string]string) Option { return func(c *config) { c.anchors = from } }

// WithExternalAddrs says what addresses other organizations are told (peer.gossip.externalEndpoint). The default is what the
// host announces. With none at all the node is hidden: it says nothing on the topics of channels, and only its own
// organization sees it.
func WithExternalAddrs(addrs ...ma.Multiaddr) Option {
	return func(c *config) { c.external = func() []ma.Multiaddr { return addrs } }
}

// WithInternalAddrs says what addresses our own organization is told (weft.endpoint). The default is what the host listens on.
func WithInternalAddrs(addrs ...ma.Multiaddr) Option {
	return func(c *config) { c.internal = addrs }
}

// WithOrgSecret is the salt of the name of our organization's topic (weft.orgSecret); all its members need the same. The
// default follows from the organization's root certificates: set a secret before these change.
func WithOrgSecret(secret []byte) Option { return func(c *config) { c.orgSecret = secret } }

// WithTiming says when silence means death. The default is Fabric's.
func WithTiming(t membership.Timing) Option { return func(c *config) { c.timing = t } }

// A full mesh of one is nobody; in one of 2,000 the connections take 230 MB.
const minMesh, maxMesh = 2, 2000

// WithFullMesh is up to how many visible members, ourselves included, the node keeps a connection to each; beyond, to about three times the
// square root of their number, by a grid (weft.relay.fullMeshMax). The default is 300; 2 to 2,000 are possible. All members of a channel need the same.
func WithFullMesh(members int) Option { return func(c *config) { c.fullMesh = members } }

// WithParity says whether blocks of our own source may get parity, which is a tenth more bytes, where members see packets lost
// (weft.relay.parity). The default is yes.
func WithParity(on bool) Option { return func(c *config) { c.parity = on } }

// WithFanOut is how many peers are asked at one time for blocks that are missing, [MaxFanOut] at most
// (peer.gossip.propagatePeerNum): for ranges, two requests each, and for the pieces of a block that does not come any further.
// The next block, which all others wait for, is asked of more if nobody brings it. By default ranges are asked of 4, and pieces
// of anybody. The degree of the gossip mesh is not weft's on a caller's pubsub: host.Config.Degree sets that of weft's own.
func WithFanOut(peers int) Option { return func(c *config) { c.fanOut = peers } }

// MaxFanOut is the greatest fan-out: more would have one missing block asked of a whole network.
const MaxFanOut = 64

func newConfig(opts []Option) (config, error) {
	c := config{timing: membership.DefaultTiming(), fullMesh: 300, parity: true}
	for _, o := range opts {
		o(&c)
	}
	if c.log == nil {
		c.log = slog.New(golog.SlogHandler())
	}
	c.base, c.log = c.log, c.log.With("logger", "weft")
	var errs []error
	if err := c.timing.Validate(); err != nil {
		errs = append(errs, err)
	}
	if c.fullMesh < minMesh || c.fullMesh > maxMesh {
		errs = append(errs, fmt.Errorf("weft: full mesh of %d members, want %d to %d", c.fullMesh, minMesh, maxMesh))
	}
	if c.fanOut < 0 || c.fanOut > MaxFanOut {
		errs = append(errs, fmt.Errorf("weft: fan-out of %d peers, want 1 to %d, or 0 for the default", c.fanOut, MaxFanOut))
	}
	return c, errors.Join(errs...)
}

// logger is for what a package below says.
func (c *config) logger(part string) *slog.Logger { return c.base.With("logger", "weft."+part) }

// joinConfig is what the options of Join set.
type joinConfig struct {
	role      role
	election  leader.Timing
	source    Source
	ledger    Ledger
	dial      func(ctx context.Context, addr string) (net.Conn, error)
	tlsClient *tls.Certificate
	backoff   leader.Backoff
	deliver   Deliver
}

// JoinOption changes a default of Join.
type JoinOption func(*joinConfig)

// role is a node's part in pulling its organization's blocks from the ordering service.
type role int

const (
	elected  role = iota // whoever the members of the organization elect pulls
	leads                // always pulls
	standsBy             // never pulls
)

// AsLeader makes this node a static leader of its organization in the channel (peer.gossip.orgLeader): it always pulls the
// blocks from the ordering service and announces them. The default is that the organization's members elect one of them.
func AsLeader() JoinOption { return func(c *joinConfig) { c.role = leads } }

// AsFollower keeps this node out of the election: it never pulls from the ordering service, whoever else does not.
func AsFollower() JoinOption { return func(c *joinConfig) { c.role = standsBy } }

// WithElection says how patient the election of a leader is (peer.gossip.election, weft.election). Zero fields stand for the
// defaults.
func WithElection(t leader.Timing) JoinOption {
	return func(c *joinConfig) { c.role, c.election = elected, t }
}

// WithSource makes a leader pull from s instead of the channel's ordering service.
func WithSource(s Source) JoinOption { return func(c *joinConfig) { c.source = s } }

// WithLedger commits the blocks to l, which the channel does not close. It is empty or holds blocks of this very channel.
func WithLedger(l Ledger) JoinOption { return func(c *joinConfig) { c.ledger = l } }

// WithOrdererDialer opens connections to orderers with dial; TLS runs over them. The default is TCP.
func WithOrdererDialer(dial func(ctx context.Context, addr string) (net.Conn, error)) JoinOption {
	return func(c *joinConfig) { c.dial = dial }
}

// WithOrdererClientCertificate is shown to orderers that want mutual TLS.
func WithOrdererClientCertificate(cert tls.Certificate) JoinOption {
	return func(c *joinConfig) { c.tlsClient = &cert }
}

// WithDeliverBackoff bounds the pauses between two streams to the ordering service.
func WithDeliverBackoff(b leader.Backoff) JoinOption { return func(c *joinConfig) { c.backoff = b } }

// Deliver says how a leader talks to the ordering service. Zero values stand for Fabric's defaults.
type Deliver struct {
	ConnTimeout       time.Duration      // peer.deliveryclient.connTimeout
	KeepaliveInterval time.Duration      // peer.keepalive.deliveryClient.interval
	KeepaliveTimeout  time.Duration      // peer.keepalive.deliveryClient.timeout
	Overrides         []deliver.Override // peer.deliveryclient.addressOverrides
	// GiveUp is after how long without a stream that works an elected leader lets others try, 5 s at most:
	// peer.deliveryclient.reconnectTotalTimeThreshold. A static leader never does.
	GiveUp time.Duration
	// Censorship is for how long an orderer may not bring a block whose header others have shown; then the next one is
	// asked: peer.deliveryclient.blockCensorshipTimeoutKey, 30 s.
	Censorship time.Duration
	// Simple has blocks come from one orderer and no headers from others on BFT channels: peer.deliveryclient.policy is simple. Who withholds
	// blocks is then found out by what members have alone.
	Simple bool
}

// WithDeliver changes how a leader talks to the ordering service.
func WithDeliver(d Deliver) JoinOption { return func(c *joinConfig) { c.deliver = d } }
