// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/control"
	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
)

func keep(t *testing.T, h corehost.Host, change func(*host.KeeperConfig)) *host.Keeper {
	t.Helper()
	cfg := host.KeeperConfig{
		Host: h, Connected: func(context.Context, peer.ID) error { return nil }, Rand: rand.New(rand.NewPCG(1, 2)),
	}
	if change != nil {
		change(&cfg)
	}
	k := host.NewKeeper(cfg)
	run(t, k.Run)
	return k
}

func want(k *host.Keeper, hosts ...corehost.Host) {
	ids := make(map[peer.ID]struct{})
	for _, h := range hosts {
		ids[h.ID()] = struct{}{}
	}
	k.Want(ids)
}

// findable lets everybody find everybody.
func findable(hosts ...*host.Host) {
	book := make(map[peer.ID]peer.AddrInfo)
	for _, h := range hosts {
		book[h.ID()] = peer.AddrInfo{ID: h.ID(), Addrs: h.Network().ListenAddresses()}
	}
	for _, h := range hosts {
		h.Routing.Set(func(_ context.Context, id peer.ID) (peer.AddrInfo, error) {
			if at, ok := book[id]; ok {
				return at, nil
			}
			return peer.AddrInfo{}, errors.New("unknown")
		})
	}
}

func TestKeeperMeshesAndTakesTurns(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		hosts := []*host.Host{s.host(nil), s.host(nil), s.host(nil), s.host(nil)}
		findable(hosts...)
		for _, h := range hosts {
			k := keep(t, h, nil)
			want(k, hosts[0], hosts[1], hosts[2], hosts[3])
		}
		time.Sleep(5 * time.Second)
		for _, a := range hosts {
			for _, b := range hosts {
				if a != b {
					require.Len(t, a.Network().ConnsToPeer(b.ID()), 1, "one connection for two who want each other")
				}
			}
		}
	})
}

func TestKeeperRedialsAfterALoss(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.host(nil), s.host(nil)
		findable(a, b)
		var authenticated, unreachable atomic.Int32
		for _, h := range []*host.Host{a, b} {
			want(keep(t, h, func(cfg *host.KeeperConfig) {
				cfg.Connected = func(context.Context, peer.ID) error { authenticated.Add(1); return nil }
				cfg.Unreachable = func(peer.ID, time.Time) { unreachable.Add(1) }
			}), a, b)
		}
		time.Sleep(time.Minute)
		for loss := int32(1); loss <= 3; loss++ {
			require.EqualValues(t, 2*loss, authenticated.Load(), "each connection is authenticated, by both")
			disconnect(t, b, a)
			time.Sleep(300 * time.Millisecond)
			require.True(t, connected(a, b))
			require.Len(t, a.Network().ConnsToPeer(b.ID()), 1)
			time.Sleep(time.Minute)
		}
		require.Zero(t, unreachable.Load())
	})
}

func TestKeeperAuthenticatesWhoDialedUs(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.host(nil), s.host(nil)
		authenticated := make(chan peer.ID, 100)
		k := keep(t, a, func(cfg *host.KeeperConfig) {
			cfg.Connected = func(_ context.Context, id peer.ID) error { authenticated <- id; return nil }
		})
		want(k, b) // without an address
		time.Sleep(10 * time.Minute)
		require.Empty(t, authenticated)
		connect(t, b, a)
		time.Sleep(3 * time.Second)
		require.Equal(t, b.ID(), <-authenticated)
	})
}

func TestKeeperTriesAgainWhoDoesNotAuthenticate(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.host(nil), s.host(nil)
		findable(a, b)
		var mu sync.Mutex
		tries := 0
		k := keep(t, a, func(cfg *host.KeeperConfig) {
			cfg.Connected = func(context.Context, peer.ID) error {
				mu.Lock()
				defer mu.Unlock()
				if tries++; tries < 5 {
					return errors.New("unknown to the peer")
				}
				return nil
			}
		})
		want(k, b)
		time.Sleep(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, 5, tries)
		require.True(t, connected(a, b), "the connection stays")
	})
}

func TestKeeperTellsWhoIsUnreachable(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.host(nil), s.host(nil)
		findable(a, b)
		gone := make(chan peer.ID, 10)
		k := keep(t, a, func(cfg *host.KeeperConfig) { cfg.Unreachable = func(id peer.ID, _ time.Time) { gone <- id } })
		want(k, b)
		time.Sleep(time.Minute)
		require.NoError(t, b.Close())
		closed := time.Now()
		require.Equal(t, b.ID(), <-gone)
		require.Less(t, time.Since(closed), 600*time.Millisecond)
		time.Sleep(10 * time.Minute)
		require.Empty(t, gone, "once")
	})
}

func TestKeeperProtectsAndLetsGo(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b, c := s.host(nil), s.host(nil), s.host(nil)
		findable(a, b, c)
		k := host.NewKeeper(host.KeeperConfig{Host: a, Connected: func(context.Context, peer.ID) error { return nil }})
		stop := run(t, k.Run)
		protected := func(h corehost.Host) bool { return a.ConnManager().IsProtected(h.ID(), "weft-member") }
		ids := map[peer.ID]struct{}{b.ID(): {}, c.ID(): {}}
		k.Want(ids)
		clear(ids) // the caller's
		time.Sleep(5 * time.Second)
		require.True(t, protected(b))
		want(k, c)
		time.Sleep(time.Second)
		require.False(t, protected(b))
		require.True(t, protected(c))
		stop()
		require.False(t, protected(c))
		require.True(t, connected(a, c), "connections stay")
	})
}

func TestKeeperBootstraps(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, boot, anchor := s.host(nil), s.host(nil), s.host(nil)
		addr := func(h corehost.Host) string { return h.Network().ListenAddresses()[0].String() }
		down := "/ip4/1.0.0.200/udp/8000/quic-v1"
		log := new(logbook)
		k := keep(t, a, func(cfg *host.KeeperConfig) {
			cfg.Bootstrap = []string{addr(boot), addr(a), down, "nonsense"}
			cfg.Log = slog.New(slog.NewTextHandler(log, nil))
		})
		time.Sleep(3 * time.Second)
		require.True(t, connected(a, boot))
		k.Anchors([]string{addr(anchor) + "/p2p/" + anchor.ID().String()})
		time.Sleep(3 * time.Second)
		require.True(t, connected(a, anchor))

		disconnect(t, a, boot)
		time.Sleep(3 * time.Second)
		require.True(t, connected(a, boot), "who is no member may be the only way to others")
		disconnect(t, a, boot)
		disconnect(t, a, anchor)
		time.Sleep(10 * time.Second)
		require.True(t, connected(a, boot))
		require.True(t, connected(a, anchor))
		require.Equal(t, 1, strings.Count(log.String(), "is left out"), "told once")
		require.Equal(t, 2, strings.Count(log.String(), "connected to the first member"))
		require.Equal(t, 1, strings.Count(log.String(), "no connection to any member is left"))
	})
}

// Who is at an address and does not take us for a member, or not yet, is asked again over the connection that there is.
func TestKeeperDoesNotDialWhoIsConnected(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		var dials, asked atomic.Int32
		a, boot := s.host(func(cfg *host.Config) { cfg.Options = append(cfg.Options, libp2p.ConnectionGater(&openGater{&dials})) }), s.host(nil)
		keep(t, a, func(cfg *host.KeeperConfig) {
			cfg.Bootstrap = []string{boot.Network().ListenAddresses()[0].String()}
			cfg.Connected = func(context.Context, peer.ID) error { asked.Add(1); return host.ErrUnknownToPeer }
		})
		time.Sleep(time.Hour)
		require.EqualValues(t, 2, dials.Load(), "one to learn who it is, and one to connect")
		require.Greater(t, asked.Load(), int32(50))
		require.Less(t, asked.Load(), int32(400))
		require.True(t, connected(a, boot))
	})
}

// openGater lets everybody pass, and counts dials.
type openGater struct{ dials *atomic.Int32 }

func (g *openGater) InterceptPeerDial(peer.ID) bool             { g.dials.Add(1); return true }
func (*openGater) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return true }
func (*openGater) InterceptAccept(network.ConnMultiaddrs) bool  { return true }
func (*openGater) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}
func (*openGater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

func TestKeeperWithAuth(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := newParty(s, "Org1", nil), newParty(s, "Org2", nil)
		for _, p := range [][2]*party{{a, b}, {b, a}} {
			p[0].Peerstore().AddAddrs(p[1].ID(), p[1].Network().ListenAddresses(), peerstore.PermanentAddrTTL)
			want(keep(t, p[0], func(cfg *host.KeeperConfig) { cfg.Connected = p[0].Ensure }), p[1])
		}
		time.Sleep(10 * time.Second)
		require.Equal(t, host.Verified, a.thinks(b))
		require.Equal(t, host.Verified, b.thinks(a))
		require.EqualValues(t, 1, counter(t, a.registry, "answerer", "verified")+counter(t, b.registry, "answerer", "verified"))
		disconnect(t, a, b)
		time.Sleep(time.Minute)
		require.True(t, connected(a, b))
		require.EqualValues(t, 2, counter(t, a.registry, "answerer", "verified")+counter(t, b.registry, "answerer", "verified"))
	})
}

// TestKeeperKeepsWhomItWants: members that are wanted and who is at an address are kept, as long as the wish lasts. A stranger
// that has made itself dialed is not.
func TestKeeperKeepsWhomItWants(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, member, anchor, stranger := s.host(nil), s.host(nil), s.host(nil), s.host(nil)
		findable(a, member, anchor, stranger)
		k := keep(t, a, nil)
		want(k, member)
		k.Anchors([]string{anchor.Network().ListenAddresses()[0].String() + "/p2p/" + anchor.ID().String()})
		require.NoError(t, a.Connect(t.Context(), peer.AddrInfo{ID: stranger.ID(), Addrs: stranger.Network().ListenAddresses()}))
		time.Sleep(5 * time.Second)
		require.True(t, k.Keeps(member.ID()))
		require.True(t, k.Keeps(anchor.ID()))
		require.Equal(t, network.DirOutbound, a.Network().ConnsToPeer(stranger.ID())[0].Stat().Direction)
		require.False(t, k.Keeps(stranger.ID()))

		want(k)
		k.Anchors(nil)
		time.Sleep(time.Second)
		require.False(t, k.Keeps(member.ID()))
		require.False(t, k.Keeps(anchor.ID()))
	})
}
