// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
)

func TestNewRefusesBadConfig(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  host.Config
		want string
	}{
		"no key":            {host.Config{}, "Config.Key is missing"},
		"bad listen addr":   {host.Config{Key: newHostKey(t), ListenAddrs: []string{"0.0.0.0:7061"}}, "Config.ListenAddrs"},
		"degree too low":    {host.Config{Key: newHostKey(t), Degree: 2}, "Config.Degree is 2, want 3 to 64"},
		"degree too high":   {host.Config{Key: newHostKey(t), Degree: 65}, "Config.Degree is 65, want 3 to 64"},
		"bad external addr": {host.Config{Key: newHostKey(t), ExternalAddrs: []string{"peer0:7061"}}, "Config.ExternalAddrs"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := host.New(t.Context(), tc.cfg)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// A host that cannot be built leaves nothing behind; goleak looks.
func TestNewOnATakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, err = host.New(t.Context(), host.Config{
		Key: newHostKey(t), ListenAddrs: []string{"/ip4/127.0.0.1/udp/0/quic-v1", fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", taken.Addr().(*net.TCPAddr).Port)},
	})
	require.ErrorContains(t, err, "listen on /ip4/127.0.0.1/tcp/")
}

// Real sockets: the default transports, security and resource manager, with metrics.
func TestNewOnLoopback(t *testing.T) {
	build := func(external ...string) *host.Host {
		h, err := host.New(t.Context(), host.Config{
			Key:         newHostKey(t),
			ListenAddrs: []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0/ws"},
			Members:     4, Registerer: prometheus.NewRegistry(), ExternalAddrs: external,
		})
		require.NoError(t, err)
		return h
	}
	a, b := build(), build("/dns4/peer0.example.com/tcp/7061")
	connect(t, a, b)
	conns := a.Network().ConnsToPeer(b.ID())
	require.Len(t, conns, 1)
	require.Equal(t, "tcp", conns[0].ConnState().Transport, "TCP is preferred on private addresses")
	require.EqualValues(t, "/tls/1.0.0", conns[0].ConnState().Security)
	require.Empty(t, a.Addrs(), "nothing external, nothing announced")
	require.Len(t, b.Addrs(), 1)
	require.NoError(t, a.Close())
	require.NoError(t, a.Close(), "again")
	require.NoError(t, b.Close())
}

func TestIdentifyTellsExternalAddressesOnly(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a := s.host(nil)
		b := s.host(func(cfg *host.Config) { cfg.ExternalAddrs = []string{"/ip4/9.9.9.9/udp/7061/quic-v1"} })
		connect(t, b, a)
		time.Sleep(time.Second)
		known := a.Peerstore().Addrs(b.ID())
		require.Len(t, known, 1)
		require.Equal(t, "/ip4/9.9.9.9/udp/7061/quic-v1", known[0].String())
	})
}

func TestRoutingFindsWhoIsDialedByID(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.host(nil), s.host(nil)
		require.ErrorIs(t, a.Connect(t.Context(), peer.AddrInfo{ID: b.ID()}), routing.ErrNotFound)
		a.Routing.Set(func(_ context.Context, id peer.ID) (peer.AddrInfo, error) {
			return peer.AddrInfo{ID: id, Addrs: b.Network().ListenAddresses()}, nil
		})
		require.NoError(t, a.Connect(t.Context(), peer.AddrInfo{ID: b.ID()}))
		a.Routing.Set(nil)
		_, err := a.Routing.FindPeer(t.Context(), b.ID())
		require.ErrorIs(t, err, routing.ErrNotFound)
	})
}

func TestOwnPubSubKnowsWeftTopicsOnly(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		h := s.host(nil)
		_, err := h.PubSub.Join("another")
		require.Error(t, err)
		topic, err := h.PubSub.Join(weftTopic)
		require.NoError(t, err)
		require.NoError(t, topic.Close())
	})
}

func TestPubSubOptionsCannotOpenTheGuard(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		h := s.host(func(cfg *host.Config) {
			cfg.PubSubOptions = []pubsub.Option{
				pubsub.WithPeerFilter(func(peer.ID, string) bool { return true }),
				pubsub.WithFloodPublish(true),
			}
		})
		stranger := newSnooper(s, h, pubsub.GossipSubID_v12)
		stranger.subscribe(weftTopic)
		topic, _ := join(t, h.PubSub, weftTopic)
		time.Sleep(3 * time.Second)
		require.NoError(t, topic.Publish(t.Context(), []byte("secret")))
		time.Sleep(3 * time.Second)
		require.Empty(t, stranger.messages())
	})
}
