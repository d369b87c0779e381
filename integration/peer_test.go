// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net"
	"path/filepath"
	"sync/atomic"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	weftHost "github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/topics"
)

// testPeer is one peer: its identity, key and data outlive its crashes.
type testPeer struct {
	net     *testNet
	number  int
	org     *devnet.Org
	node    *devnet.Node
	key     crypto.PrivKey
	dir     string
	from    []int         // whom it bootstraps from; nil: the first of its organization, and peer 0
	options []weft.Option // besides those that every peer has
	degree  int           // of its mesh; 0: the default
	hidden  bool          // it has no address for other organizations
	mute    *atomic.Bool  // its streams say nothing of blocks when it is true; nil: never
	plain   bool          // it stands on a caller's host, whose pubsub has no guard
	guarded bool          // the caller gave its pubsub weft's guard after all
	tap     *tap          // hears what its pubsub says, unless nil
	wire    *wire         // hears every byte that reaches its host, unless nil
	traffic *traffic

	host    host
	weft    *weft.Node
	channel *weft.Channel
}

// host is what a node stands on: weft's own host, or a caller's, which has neither guard nor routing of weft.
type host struct {
	corehost.Host
	pubsub  *pubsub.PubSub
	guard   *weftHost.Guard
	routing *weftHost.Routing
	end     func() // of a caller's pubsub
}

// close closes the host and, before it, a caller's pubsub.
func (h host) close() error {
	if h.end != nil {
		h.end()
	}
	return h.Close()
}

// add makes a peer of org; it does not run yet.
func (n *testNet) add(org *devnet.Org, index int) *testPeer {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(n.random.Uint32())
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	require.NoError(n.t, err)
	p := &testPeer{
		net: n, number: len(n.peers), org: org, key: key, traffic: newTraffic(),
		node: n.enroll(org, fmt.Sprintf("peer%d", index), devnet.Peer),
		dir:  filepath.Join(n.t.TempDir(), fmt.Sprintf("peer%d", len(n.peers))),
	}
	n.peers = append(n.peers, p)
	n.t.Cleanup(p.stop)
	return p
}

// start starts a peer: host, node and channel.
func (p *testPeer) start(opts ...weft.JoinOption) *testPeer {
	p.open()
	p.join(opts...)
	return p
}

// open starts the peer's host and node.
func (p *testPeer) open() {
	p.host = p.newHost()
	p.newNode()
}

// newNode starts a node on the peer's host.
func (p *testPeer) newNode() {
	n := p.net
	local, err := p.node.Local()
	require.NoError(n.t, err)
	opts := []weft.Option{
		weft.WithDataDir(p.dir), weft.WithLogger(n.log.With("node", p.number)), weft.WithBootstrap(p.bootstrap()...),
	}
	if p.host.guard != nil {
		opts = append(opts, weft.WithGuard(p.host.guard))
	}
	if !p.plain {
		opts = append(opts, weft.WithHostOwned())
	}
	p.weft, err = weft.New(p.host, p.host.pubsub, local, append(opts, p.options...)...)
	require.NoError(n.t, err)
	if !p.plain {
		p.host.routing.Set(p.weft.FindPeer)
	}
}

// newHost is weft's own host, or that of a caller who knows nothing of weft.
func (p *testPeer) newHost() host {
	t, options := p.net.t, append(p.links(), libp2p.BandwidthReporter(p.traffic))
	if p.plain {
		return p.callersHost(options)
	}
	cfg := weftHost.Config{
		Key: p.key, ListenAddrs: []string{p.net.address(p.number)}, Members: len(p.net.peers), Degree: p.degree,
		Options: append(options, libp2p.NoListenAddrs), PubSubOptions: append(p.tap.options(), pubsub.WithRawTracer(p.listener())),
	}
	if !p.hidden {
		cfg.ExternalAddrs = cfg.ListenAddrs
	}
	h, err := weftHost.New(context.Background(), cfg)
	require.NoError(t, err)
	on := host{Host: h, pubsub: h.PubSub, guard: h.Guard, routing: h.Routing}
	if p.mute != nil {
		on.Host = muffled{h, p.mute}
	}
	return on
}

func (p *testPeer) listener() listener {
	return listener{
		traffic: p.traffic, heartbeats: &p.net.heartbeats,
		announcements: topics.Name(topics.Announcements, channelName, block.HeaderHash(p.net.genesis.Header)),
	}
}

// bootstrap are the addresses that a peer starts from.
func (p *testPeer) bootstrap() []string {
	var addrs []string
	for _, other := range p.net.peers {
		if p.from == nil && other != p && len(addrs) < 2 && (other.number == 0 || other.org == p.org) {
			addrs = append(addrs, p.net.address(other.number))
		}
	}
	for _, number := range p.from {
		addrs = append(addrs, p.net.address(number))
	}
	return addrs
}

// join joins the channel, as a follower unless opts say otherwise.
func (p *testPeer) join(opts ...weft.JoinOption) {
	opts = append([]weft.JoinOption{weft.AsFollower(), weft.WithOrdererDialer(p.dialOrderer)}, opts...)
	var err error
	p.channel, err = p.weft.Join(context.Background(), p.net.genesis, opts...)
	require.NoError(p.net.t, err)
}

func (p *testPeer) dialOrderer(ctx context.Context, _ string) (net.Conn, error) {
	return p.net.dialAs(ctx, p.number)
}

// stop stops the peer in good order, if it runs.
func (p *testPeer) stop() {
	if p.weft == nil {
		return
	}
	require.NoError(p.net.t, p.weft.Close())
	require.NoError(p.net.t, p.host.close())
	p.weft, p.host, p.channel = nil, host{}, nil
}

// crash takes the peer off the network at once, so that nobody hears a goodbye, and stops it.
func (p *testPeer) crash() {
	p.net.Cut(p.number)
	p.stop()
}

// restart starts a crashed peer again, on the same data.
func (p *testPeer) restart(opts ...weft.JoinOption) {
	p.net.Mend(p.number)
	p.start(opts...)
}
