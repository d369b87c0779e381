// SPDX-License-Identifier: Apache-2.0

// Package simtest is a simulated network for tests in virtual time: real libp2p hosts with QUIC over simulated links, with
// latency, bandwidth, loss, partitions and crashes per peer, all drawn from one seed.
//
// A network lives inside a testing/synctest bubble, where the clock moves only when everybody waits:
//
//	synctest.Test(t, func(t *testing.T) {
//		net := simtest.New(t, simtest.Link{Latency: 25 * time.Millisecond, BitsPerSecond: 100e6})
//		h, err := libp2p.New(append(net.Options(1), libp2p.Identity(key))...)
//
// Every network prints its seed, which is 1; WEFT_SEED=n runs a test with the seed n, and WEFT_SEED=0 with a new one.
package simtest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/marcopolo/simnet"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
	"go.uber.org/fx"
)

// Port is the UDP port of every host of a simulated network.
const Port = 8000

// Link is how one host hangs on the network. Latency is one way, from this host to any other; a packet between two hosts
// takes the mean of theirs, unless [Net.SetLatency] says otherwise.
type Link struct {
	Latency       time.Duration
	BitsPerSecond int     // up and down; 0: 1 Gbit/s
	Up            int     // bits a second up, if that differs from down; 0: it does not
	Loss          float64 // share of the packets that this host sends and that are lost
}

// Net is a simulated network. Its methods are safe for concurrent use.
type Net struct {
	Seed    uint64
	sim     *simnet.Simnet
	carried atomic.Int64

	mu    sync.Mutex // guards all below
	rand  *rand.Rand
	plain Link
	links map[int]Link
	far   func(from, to int) time.Duration // nil: by the links
	side  map[int]int                      // hosts on different sides of a partition do not hear each other
	dead  map[int]bool
}

// New makes a network whose hosts all hang on link, and closes it at the end of the test: close the hosts before, with
// t.Cleanup calls made after this one.
func New(t testing.TB, link Link) *Net {
	t.Helper()
	n := &Net{Seed: Seed(t), plain: link, links: map[int]Link{}, side: map[int]int{}, dead: map[int]bool{}}
	n.rand = rand.New(rand.NewPCG(n.Seed, 1))
	// Packets to hosts that are closed are part of most tests; their log lines would hide what matters when one fails.
	n.sim = &simnet.Simnet{LatencyFunc: n.latency, Logger: slog.New(slog.DiscardHandler)}
	n.sim.Start()
	t.Cleanup(n.sim.Close)
	return n
}

// Seed is a seed for a test: WEFT_SEED, where 0 is another each time, or 1. It is printed.
func Seed(t testing.TB) uint64 {
	s := uint64(1)
	if text := os.Getenv("WEFT_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("WEFT_SEED=%q is no number", text)
		}
	}
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("simulated network: WEFT_SEED=%d", s)
	return s
}

// Rand is a source of randomness that follows from the seed, for the test's own decisions; not for concurrent use.
func (n *Net) Rand(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(n.Seed, stream)) }

// SetLink changes the link of host i; its bandwidth only before Options(i).
func (n *Net) SetLink(i int, link Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[i] = link
}

// SetLatency says how long a packet takes from one host to another, in place of the links' latencies.
func (n *Net) SetLatency(far func(from, to int) time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.far = far
}

// Carried is how many bytes all hosts have sent so far, in UDP payloads: what the simulated links count.
func (n *Net) Carried() int64 { return n.carried.Load() }

// Partition cuts the network: the named groups hear only themselves, and hosts in no group hear each other.
func (n *Net) Partition(groups ...[]int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.side)
	for side, hosts := range groups {
		for _, i := range hosts {
			n.side[i] = side + 1
		}
	}
}

// Heal ends the partition.
func (n *Net) Heal() { n.Partition() }

// Cut silences host i, as a crash of its machine does: nothing goes in or out until Mend. Not even a goodbye.
func (n *Net) Cut(i int) { n.setDead(i, true) }

// Mend puts host i on the network again.
func (n *Net) Mend(i int) { n.setDead(i, false) }

func (n *Net) setDead(i int, dead bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead[i] = dead
}

// Address is the multiaddr of host i, without its peer ID.
func Address(i int) string {
	return "/ip4/" + ip(i) + "/udp/" + strconv.Itoa(Port) + "/quic-v1"
}

// ip is 1.0.0.1 for host 0 and counts up from there: public, so that libp2p dials and announces it.
func ip(i int) string { return net.IPv4(1, byte((i+1)>>16), byte((i+1)>>8), byte(i+1)).String() }

// Options are the libp2p options of host i. Several hosts one after the other may use the same number.
func (n *Net) Options(i int) []libp2p.Option { return n.OptionsOver(i, libp2pquic.NewTransport) }

// OptionsOver is Options with another constructor of the transport: one that does something around that of QUIC.
func (n *Net) OptionsOver(i int, transport any) []libp2p.Option {
	return []libp2p.Option{
		libp2p.Transport(transport),
		libp2p.ListenAddrStrings(Address(i)),
		n.transport(i),
		libp2p.DisableIdentifyAddressDiscovery(), // it would keep the virtual clock from moving
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.MultiaddrResolver(nameless{}),
	}
}

// nameless resolves no name: the machine's resolver waits in real time, and its locks cannot be shared by two bubbles.
type nameless struct{}

func (nameless) ResolveDNSAddr(_ context.Context, _ peer.ID, addr ma.Multiaddr, _, _ int) ([]ma.Multiaddr, error) {
	return nil, fmt.Errorf("simulated network: no names, so not %s", addr)
}

func (n nameless) ResolveDNSComponent(ctx context.Context, addr ma.Multiaddr, _ int) ([]ma.Multiaddr, error) {
	return n.ResolveDNSAddr(ctx, "", addr, 0, 0)
}

func (n *Net) transport(i int) libp2p.Option {
	source := &sourceIP{}
	return libp2p.QUICReuse(
		func(l fx.Lifecycle, reset quic.StatelessResetKey, token quic.TokenGeneratorKey, opts ...quicreuse.Option) (*quicreuse.ConnManager, error) {
			cm, err := quicreuse.NewConnManager(reset, token, opts...)
			if err == nil {
				l.Append(fx.StopHook(cm.Close))
			}
			return cm, err
		},
		quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return source, nil }),
		quicreuse.OverrideListenUDP(func(_ string, addr *net.UDPAddr) (net.PacketConn, error) {
			source.ip.Store(&addr.IP)
			return n.endpoint(i, addr), nil
		}),
	)
}

func (n *Net) endpoint(i int, addr *net.UDPAddr) net.PacketConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	link := n.link(i)
	down := cmp.Or(link.BitsPerSecond, 1e9)
	settings := simnet.NodeBiDiLinkSettings{Uplink: direction(cmp.Or(link.Up, down)), Downlink: direction(down)}
	return &conn{SimConn: n.sim.NewEndpoint(addr, settings), net: n, host: i}
}

// direction has many flow buckets, so that flows rarely share one by chance: among the 99 of one uplink two do in 7 cases of
// 100, with 4,096 buckets in 70. The packets of one then wait behind those of the other.
func direction(bits int) simnet.LinkSettings {
	return simnet.LinkSettings{BitsPerSecond: bits, FlowBucketCount: 1 << 16}
}

// link is the link of host i. The lock is held.
func (n *Net) link(i int) Link {
	if l, ok := n.links[i]; ok {
		return l
	}
	return n.plain
}

func (n *Net) latency(p *simnet.Packet) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	from, to := number(p.From), number(p.To)
	if n.far != nil {
		return n.far(from, to)
	}
	return (n.link(from).Latency + n.link(to).Latency) / 2
}

// passes says whether a packet from one host to another arrives.
func (n *Net) passes(from, to int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	loss := n.link(from).Loss
	return !n.dead[from] && !n.dead[to] && n.side[from] == n.side[to] && (loss == 0 || n.rand.Float64() >= loss)
}

// conn is the packet connection of one host; what does not pass is lost without a word.
type conn struct {
	*simnet.SimConn
	net  *Net
	host int
}

func (c *conn) WriteTo(p []byte, to net.Addr) (int, error) {
	c.net.carried.Add(int64(len(p)))
	if !c.net.passes(c.host, number(to)) {
		return len(p), nil
	}
	return c.SimConn.WriteTo(p, to)
}

// number is the host that has an address: the inverse of ip.
func number(a net.Addr) int {
	v4 := a.(*net.UDPAddr).IP.To4()
	return int(v4[1])<<16 + int(v4[2])<<8 + int(v4[3]) - 1
}

type sourceIP struct{ ip atomic.Pointer[net.IP] }

func (s *sourceIP) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) {
	return *s.ip.Load(), nil
}
