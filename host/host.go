// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/metrics"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
)

// graceOfConns is how long a new connection is left alone by the connection manager: authentication takes 5 s at most,
// and a member is protected as soon as it is wanted.
const graceOfConns = 20 * time.Second

// Config says what host to build. Key is required.
type Config struct {
	// Key is the host key; the peer ID follows from it. [LoadKey] makes one.
	Key crypto.PrivKey
	// ListenAddrs are multiaddrs to listen on, all or none: TCP, QUIC (/udp/.../quic-v1), WebSocket (/tcp/.../ws). Empty: do
	// not listen.
	ListenAddrs []string
	// ExternalAddrs are the multiaddrs that anybody who connects is told by identify, which is all that other
	// organizations may see of this host. Empty: nothing is announced.
	ExternalAddrs []string
	// Members is the expected number of members of the network; [Limits] and the connection manager follow from it.
	Members int
	// Degree is how many neighbours gossip keeps in the mesh of each topic, from [MinDegree] to [MaxDegree]; it may be one less
	// or two more. Zero: 4.
	Degree int
	// UserAgent is told to every peer by identify. Empty: "weft".
	UserAgent string
	// MaxMessage is the largest pubsub message in bytes; all members must have the same. Zero: 1 MiB.
	MaxMessage int
	// Bandwidth counts traffic by protocol and peer. Nil: not counted. libp2p's counters share a goroutine that never ends,
	// so a test in a synctest bubble cannot have one.
	Bandwidth *metrics.BandwidthCounter
	// Registerer takes libp2p's own metrics. Nil: none.
	Registerer prometheus.Registerer
	// Options come before ours. What they set is left alone, so a test can bring its transports and resource manager.
	Options []libp2p.Option
	// PubSubOptions come before ours. What isolates weft topics cannot be overridden.
	PubSubOptions []pubsub.Option
}

// localDial is how long a dial to a private address may take, where libp2p gives up after 5 s: what is left of an attempt beside 5 s of
// authentication. A machine that starts many peers, or has many of them dial it, takes longer than that for a handshake, and one
// that was given up has cost both sides nearly all of it.
const localDial = 10 * time.Second

// Host is a libp2p host with a guarded gossipsub. It owns both.
type Host struct {
	host.Host
	PubSub    *pubsub.PubSub
	Guard     *Guard
	Routing   *Routing
	Bandwidth *metrics.BandwidthCounter // nil when not counted

	stop  context.CancelFunc
	close func() error
}

// New builds a host that listens and a gossipsub on it, which lives until ctx ends or Close is called. Nothing passes on
// weft topics before the Guard is attached, and Routing finds nobody before it is set.
func New(ctx context.Context, cfg Config) (*Host, error) {
	routes := new(Routing)
	opts, err := cfg.options(routes)
	if err != nil {
		return nil, err
	}
	listen, err := parseAddrs("ListenAddrs", cfg.ListenAddrs)
	if err != nil {
		return nil, err
	}
	h, err := libp2p.New(opts...)
	if err != nil {
		return nil, fmt.Errorf("build libp2p host: %w", err)
	}
	if err := listenOn(h, listen); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	guard := NewGuard()
	ps, err := newPubSub(ctx, h, guard, cfg)
	if err != nil {
		stop()
		return nil, errors.Join(fmt.Errorf("build pubsub: %w", err), h.Close())
	}
	return &Host{
		Host: h, PubSub: ps, Guard: guard, Routing: routes, Bandwidth: cfg.Bandwidth,
		stop: stop, close: sync.OnceValue(h.Close),
	}, nil
}

// Close ends the pubsub, closes the host with all its connections and waits for it. It may be called more than once.
func (h *Host) Close() error {
	h.stop()
	return h.close()
}

func (cfg *Config) options(routes *Routing) ([]libp2p.Option, error) {
	if cfg.Key == nil {
		return nil, errors.New("host: Config.Key is missing; host.LoadKey makes one")
	}
	external, err := parseAddrs("ExternalAddrs", cfg.ExternalAddrs)
	if err != nil {
		return nil, err
	}
	opts := append([]libp2p.Option{libp2p.NoListenAddrs}, cfg.Options...) // New listens, see listenOn
	opts = append(opts,
		libp2p.Identity(cfg.Key),
		libp2p.AddrsFactory(func([]ma.Multiaddr) []ma.Multiaddr { return slices.Clone(external) }),
		libp2p.DisableIdentifyAddressDiscovery(), // what is announced is configured, not discovered
		libp2p.Routing(func(host.Host) (routing.PeerRouting, error) { return routes, nil }),
		libp2p.UserAgent(cfg.userAgent()),
		// After 100 dials that failed, as in any long partition, libp2p would take public UDP or IPv6 for blocked and refuse 99 of
		// 100 dials.
		libp2p.UDPBlackHoleSuccessCounter(nil), libp2p.IPv6BlackHoleSuccessCounter(nil),
		cfg.fallback,
	)
	if cfg.Bandwidth != nil {
		opts = append(opts, libp2p.BandwidthReporter(cfg.Bandwidth))
	}
	if cfg.Registerer == nil {
		return append(opts, libp2p.DisableMetrics()), nil
	}
	return append(opts, libp2p.PrometheusRegisterer(cfg.Registerer)), nil
}

// listenOn listens on every address. libp2p.New would be content with one of several, and would leave goroutines behind
// when it got none.
func listenOn(h host.Host, addrs []ma.Multiaddr) error {
	for _, a := range addrs {
		if err := h.Network().Listen(a); err != nil {
			return fmt.Errorf("listen on %s: %w", a, err)
		}
	}
	return nil
}

func (cfg *Config) userAgent() string {
	if cfg.UserAgent == "" {
		return "weft"
	}
	return cfg.UserAgent
}

// fallback sets what the caller's options did not: TLS 1.3 before Noise, TCP, QUIC and WebSocket, and bounds that follow
// from the number of members. Members are protected by the keeper, so what the connection manager trims are strangers.
func (cfg *Config) fallback(c *libp2p.Config) error {
	if len(c.SecurityTransports) == 0 && !c.Insecure {
		if err := c.Apply(libp2p.Security(libp2ptls.ID, libp2ptls.New), libp2p.Security(noise.ID, noise.New)); err != nil {
			return err
		}
	}
	if len(c.Transports) == 0 {
		err := c.Apply(libp2p.Transport(tcp.NewTCPTransport), libp2p.Transport(quic.NewTransport), libp2p.Transport(websocket.New))
		if err != nil {
			return err
		}
	}
	if len(c.SwarmOpts) == 0 {
		if err := c.Apply(libp2p.SwarmOpts(swarm.WithDialTimeoutLocal(localDial))); err != nil {
			return err
		}
	}
	if c.DialRanker == nil {
		c.DialRanker = rankDials
	}
	if c.ConnManager == nil {
		low := memberConns * max(cfg.Members, minMembers)
		conns, err := connmgr.NewConnManager(low+strangers/2, low+strangers, connmgr.WithGracePeriod(graceOfConns))
		if err != nil {
			return err
		}
		c.ConnManager = conns
	}
	if c.ResourceManager == nil {
		resources, err := newResources(cfg.Members)
		if err != nil {
			return err
		}
		c.ResourceManager = resources
	}
	return nil
}

func parseAddrs(field string, addrs []string) ([]ma.Multiaddr, error) {
	out := make([]ma.Multiaddr, 0, len(addrs))
	for _, s := range addrs {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, fmt.Errorf("host: Config.%s: %q is no multiaddr such as /ip4/0.0.0.0/tcp/7061: %w", field, s, err)
		}
		out = append(out, a)
	}
	return out, nil
}
