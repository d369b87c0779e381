// SPDX-License-Identifier: Apache-2.0

package host

import (
	"math"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"
)

// What one member may cost. Two connections, because two hosts that dial each other at once keep both; streams for gossip
// both ways, identify, ping and about eight weft protocols, with as many again in flight; memory for the receive windows of
// a connection that is catching up (16 MiB is where yamux and QUIC stop growing one).
const (
	memberConns   = 2
	memberStreams = 64
	memberMemory  = 4 << 20
	peerStreams   = 512
	peerMemory    = 64 << 20
	// blockMemory is for the biggest block there may be, MaxBlock of /weft/sync/1.0.0 (128 MiB): what is reserved for a block
	// may take no more than four fifths of a limit, and a stream has buffers besides.
	blockMemory = 176 << 20
	// strangers is room for connections of peers that are no members: joiners, and whoever finds the port.
	strangers  = 64
	minMembers = 16
	baseMemory = 512 << 20
)

// Limits are resource limits for a network of so many members (at least 16 are assumed). With m members:
//
//	connections      2m + 64, inbound and outbound alike, 4m + 128 in all; 8 with one peer; as many file descriptors
//	being set up     m + 64 connections, 2m + 128 streams, 64 MiB
//	streams          64m + 512, inbound and outbound alike, twice that in all; 512 with one peer, 1,024 both ways
//	memory           512 MiB + 4 MiB x m, 192 MiB with one peer, 64 MiB of it for a connection
//	one service      16m + 256 streams and half of the memory; 128 streams and 176 MiB with one peer and in one stream: a block
//	one protocol     as one service
//
// Services are libp2p's and the "weft.*" ones; every protocol states its own, lower bounds besides (internal/stream).
// The memory is a ceiling for the case that all of them catch up at once, not a reservation.
func Limits(members int) rcmgr.ConcreteLimitConfig {
	m := max(members, minMembers)
	memory := baseMemory + int64(m)*memberMemory
	system := limit(memberConns*m+strangers, memberStreams*m+512, memory)
	transient := rcmgr.ResourceLimits{
		Conns: rcmgr.LimitVal(m + strangers), ConnsInbound: rcmgr.LimitVal(m + strangers), ConnsOutbound: rcmgr.LimitVal(m + strangers),
		FD:      rcmgr.LimitVal(m + strangers),
		Streams: rcmgr.LimitVal(2*m + 128), StreamsInbound: rcmgr.LimitVal(2*m + 128), StreamsOutbound: rcmgr.LimitVal(2*m + 128),
		Memory: 64 << 20,
	}
	service := streams(16*m+256, memory/2)
	perPeer := streams(128, blockMemory)
	one := limit(4, peerStreams, blockMemory+16<<20)
	partial := rcmgr.PartialLimitConfig{
		System: system, AllowlistedSystem: system,
		Transient: transient, AllowlistedTransient: transient,
		ServiceDefault: service, ServicePeerDefault: perPeer,
		ProtocolDefault: service, ProtocolPeerDefault: perPeer,
		PeerDefault: one,
		Conn:        rcmgr.ResourceLimits{Conns: 1, ConnsInbound: 1, ConnsOutbound: 1, FD: 1, Memory: peerMemory},
		Stream:      rcmgr.ResourceLimits{Streams: 1, StreamsInbound: 1, StreamsOutbound: 1, Memory: blockMemory},
	}
	return partial.Build(rcmgr.ConcreteLimitConfig{})
}

// limit allows conns and streams each way, and twice as many both ways.
func limit(conns, n int, memory int64) rcmgr.ResourceLimits {
	l := streams(n, memory)
	l.Conns, l.ConnsInbound, l.ConnsOutbound = rcmgr.LimitVal(2*conns), rcmgr.LimitVal(conns), rcmgr.LimitVal(conns)
	l.FD = l.Conns
	return l
}

func streams(n int, memory int64) rcmgr.ResourceLimits {
	return rcmgr.ResourceLimits{
		Streams: rcmgr.LimitVal(2 * n), StreamsInbound: rcmgr.LimitVal(n), StreamsOutbound: rcmgr.LimitVal(n),
		Memory: rcmgr.LimitVal64(memory),
	}
}

// newResources builds the resource manager. libp2p's own bounds per address (8 connections, one new in 5 s) would lock out
// organizations whose peers share one address behind a NAT or a cluster's egress, so a whole network may come from one.
func newResources(members int) (network.ResourceManager, error) {
	m := max(members, minMembers)
	conns := memberConns*m + strangers
	everything := []rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: conns}}
	everything6 := []rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: conns}}
	arrivals := rate.Limit{RPS: float64(m), Burst: conns}
	limiter := &rate.Limiter{
		NetworkPrefixLimits: []rate.PrefixLimit{
			{Prefix: netip.MustParsePrefix("127.0.0.0/8")}, {Prefix: netip.MustParsePrefix("::1/128")},
		},
		SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: arrivals}},
			IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: arrivals}},
			GracePeriod:      time.Minute,
		},
	}
	loopback := []rcmgr.NetworkPrefixLimit{{Network: netip.MustParsePrefix("127.0.0.0/8"), ConnCount: math.MaxInt}}
	loopback6 := []rcmgr.NetworkPrefixLimit{{Network: netip.MustParsePrefix("::1/128"), ConnCount: math.MaxInt}}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(Limits(members)),
		rcmgr.WithLimitPerSubnet(everything, everything6),
		rcmgr.WithNetworkPrefixLimit(loopback, loopback6),
		rcmgr.WithConnRateLimiters(limiter),
		rcmgr.WithMetricsDisabled())
}
