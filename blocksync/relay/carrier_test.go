// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/leaves"
	"github.com/weft-p2p/weft/internal/parity"
	"github.com/weft-p2p/weft/internal/simtest"
)

// node is a host that relays one channel.
type node struct {
	host    host.Host
	carrier *relay.Carrier
	channel *relay.Channel
	mu      sync.Mutex
	got     map[uint64]time.Time
	bodies  map[uint64][]byte
	lost    []relay.Lost
	dropped map[relay.Drop]int
	wanted  map[relay.Late]int
	rebuilt int // blocks that were computed
}

// mesh is a network of such nodes, everybody connected to everybody.
type mesh struct {
	t      *testing.T
	scope  string
	nodes  []*node
	random *rand.Rand
	known  sync.Map // [32]byte -> relay.Announcement
	parity bool     // blocks get some
	cancel context.CancelFunc
	group  sync.WaitGroup
}

func newMesh(t *testing.T, peers int, link simtest.Link) *mesh {
	net := simtest.New(t, link)
	m := emptyMesh(t, net)
	m.populate(net, peers)
	m.run()
	return m
}

// populate adds nodes of a network; run runs them.
func (m *mesh) populate(net *simtest.Net, peers int) {
	for i := range peers {
		h, err := libp2p.New(net.Options(i)...)
		require.NoError(m.t, err)
		m.t.Cleanup(func() { require.NoError(m.t, h.Close()) })
		m.add(h)
	}
}

// emptyMesh has no nodes yet.
func emptyMesh(t *testing.T, net *simtest.Net) *mesh {
	m := &mesh{t: t, scope: "scope", random: net.Rand(5), cancel: func() {}}
	t.Cleanup(func() { m.stop() })
	return m
}

// beside is another channel on the same hosts.
func (m *mesh) beside(scope string) *mesh {
	ctx, cancel := context.WithCancel(context.Background())
	other := &mesh{t: m.t, scope: scope, random: rand.New(rand.NewPCG(m.random.Uint64(), 2)), cancel: cancel}
	m.t.Cleanup(func() { other.stop() })
	for _, n := range m.nodes {
		other.place(n.host, n.carrier)
	}
	for _, n := range other.nodes {
		other.group.Go(func() { _ = n.channel.Run(ctx) })
	}
	return other
}

// run connects all nodes and runs them.
func (m *mesh) run() {
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	for i, a := range m.nodes {
		for _, b := range m.nodes[:i] {
			m.group.Go(func() { _ = a.host.Connect(ctx, peer.AddrInfo{ID: b.host.ID(), Addrs: b.host.Addrs()}) })
		}
	}
	m.group.Wait()
	for _, n := range m.nodes {
		if n.carrier == nil { // the test speaks for it
			continue
		}
		m.group.Go(func() { _ = n.carrier.Run(ctx) })
		m.group.Go(func() { _ = n.channel.Run(ctx) })
	}
	time.Sleep(3 * time.Second)
}

func (n *node) body(number uint64) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.bodies[number]
}

// now reads what other goroutines write.
func now[T any](n *node, read func() T) T {
	n.mu.Lock()
	defer n.mu.Unlock()
	return read()
}

func (n *node) time(number uint64) (time.Time, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, ok := n.got[number]
	return at, ok
}

func (m *mesh) stop() {
	m.cancel()
	m.group.Wait()
}

func (m *mesh) add(h host.Host) {
	m.place(h, relay.NewCarrier(relay.CarrierConfig{Host: h, Speaks: func(peer.ID) bool { return true }}))
}

// place makes a node of a host that has a carrier.
func (m *mesh) place(h host.Host, carrier *relay.Carrier) {
	all := func(peer.ID) bool { return true }
	n := &node{host: h, carrier: carrier, got: map[uint64]time.Time{}, bodies: map[uint64][]byte{}, dropped: map[relay.Drop]int{}, wanted: map[relay.Late]int{}}
	n.channel = relay.NewChannel(relay.ChannelConfig{
		Config: relay.Config{Self: h.ID(), Org: "org", Rand: rand.New(rand.NewPCG(m.random.Uint64(), 1))},
		Scope:  m.scope, Carrier: n.carrier, May: all, Readers: func() []peer.ID { return h.Network().Peers() },
		View: func() (view []relay.Member) {
			for _, other := range m.nodes {
				view = append(view, relay.Member{ID: other.host.ID(), Org: "org"})
			}
			return view
		},
		Judge: func(_ peer.ID, sealed []byte) (relay.Announcement, relay.Verdict) {
			a, ok := m.known.Load([32]byte(sealed))
			if !ok {
				return relay.Announcement{}, relay.Refused
			}
			return a.(relay.Announcement), relay.Verified
		},
		Publish: func(context.Context, []byte) {},
		Complete: func(c relay.Complete) bool {
			n.mu.Lock()
			n.got[c.Number], n.bodies[c.Number] = time.Now(), c.Body
			if c.Rebuilt {
				n.rebuilt++
			}
			n.mu.Unlock()
			n.channel.Committed(c.Number + 1)
			return sha256.Sum256(c.Body) != [32]byte{}
		},
		Dropped: func(why relay.Drop, frames int) {
			n.mu.Lock()
			n.dropped[why] += frames
			n.mu.Unlock()
		},
		Wanted: func(why relay.Late, leaves int) {
			n.mu.Lock()
			n.wanted[why] += leaves
			n.mu.Unlock()
		},
		GiveUp: func(l relay.Lost) {
			n.mu.Lock()
			n.lost = append(n.lost, l)
			n.mu.Unlock()
		},
	})
	m.nodes = append(m.nodes, n)
}

// publish lets a node spread a block of random bytes.
func (m *mesh) publish(from int, number uint64, size int) []byte {
	body := make([]byte, size)
	for i := 0; i+8 <= size; i += 8 {
		binary.LittleEndian.PutUint64(body[i:], m.random.Uint64())
	}
	tree := leaves.Build(body)
	a := relay.Announcement{Number: number, Root: tree.Root(), Size: size, From: m.nodes[from].host.ID(), Org: "org"}
	made := parity.Sum{}
	if m.parity {
		var err error
		made, err = parity.Make(body, parity.Share(size, 10))
		require.NoError(m.t, err)
	}
	a.Parity = parity.Sum{Shards: made.Shards, Root: made.Root}
	m.known.Store(a.Root, a)
	a.Parity = made
	a.Sealed = append(a.Root[:], make([]byte, 2168)...)
	m.nodes[from].channel.Offer(a, body, tree)
	return body
}

func TestBlocksSpreadOverStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 8, simtest.Link{Latency: 10 * time.Millisecond, BitsPerSecond: 100e6})
		for number, size := range []int{0, 1, 1000, 100_000, 1_000_000, 3_000_000} {
			body := m.publish(number%8, uint64(number), size)
			time.Sleep(3 * time.Second)
			for i, n := range m.nodes {
				if i != number%8 {
					require.Equal(t, body, append([]byte{}, n.body(uint64(number))...), "block %d at node %d", number, i)
				}
			}
		}
	})
}

// TestAnnouncementsComeBeforePieces: on the streams to one peer, too. A relay that gets its pieces first can forward none of
// them until it has the announcement, and then has all to send at once.
func TestAnnouncementsComeBeforePieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 16, simtest.Link{Latency: 10 * time.Millisecond, BitsPerSecond: 100e6})
		for number := range uint64(4) {
			m.publish(0, number, 1_000_000)
			time.Sleep(time.Second)
		}
		for i, n := range m.nodes {
			require.Zero(t, n.channel.Stats().Parked, "pieces without an announcement at node %d", i)
		}
	})
}

// TestRoomWhileBlocksLeave: a host says that there is little room on its uplink while it sends pieces, and for a quarter of a second
// after; and half of the rate at which blocks leave it or come, once it has seen some. All of the link's 12.5 MB/s is free at other times.
func TestRoomWhileBlocksLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 6, simtest.Link{Latency: 10 * time.Millisecond, BitsPerSecond: 100e6})
		source, relays := m.nodes[0].carrier, m.nodes[1].carrier
		free := func() bool { return math.IsInf(source.Room(), 1) && math.IsInf(relays.Room(), 1) }
		require.True(t, free())
		m.publish(0, 0, 1_000_000)
		require.Equal(t, 410e3, source.Room())
		for number := range uint64(3) {
			time.Sleep(time.Second)
			require.NotNil(t, m.nodes[2].body(number))
			require.True(t, free())
			m.publish(0, number+1, 1_000_000)
		}
		time.Sleep(50 * time.Millisecond)
		t.Logf("room: source %.0f, relay %.0f bytes/s", source.Room(), relays.Room())
		require.InDelta(t, 6e6, source.Room(), 1.5e6)
		require.InDelta(t, 6e6, relays.Room(), 1.5e6)
	})
}

func intEnv(name string, or int) int {
	if v, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return v
	}
	return or
}

// TestMeasure prints what a case of the table costs over simulated QUIC: RELAY_PEERS=50 RELAY_SIZE=1048576 go test -run Measure
func TestMeasure(t *testing.T) {
	if os.Getenv("RELAY_PEERS") == "" {
		t.Skip("RELAY_PEERS is not set")
	}
	synctest.Test(t, func(t *testing.T) {
		peers, size := intEnv("RELAY_PEERS", 50), intEnv("RELAY_SIZE", 1<<20)
		m := newMesh(t, peers, simtest.Link{
			Latency: time.Duration(intEnv("RELAY_RTT", 50)) * time.Millisecond / 2, BitsPerSecond: intEnv("RELAY_MBPS", 100) * 1e6,
			Loss: float64(intEnv("RELAY_LOSS", 0)) / 100,
		})
		var all []time.Duration
		for k := range intEnv("RELAY_BLOCKS", 5) {
			start := time.Now()
			m.publish(0, uint64(k+1), size)
			time.Sleep(3 * time.Second)
			var last time.Duration
			for i, n := range m.nodes[1:] {
				at, ok := n.time(uint64(k + 1))
				require.True(t, ok, "node %d", i)
				last = max(last, at.Sub(start))
			}
			all = append(all, last)
		}
		var received int64
		var s relay.Stats
		for _, n := range m.nodes {
			x := n.channel.Stats()
			received += x.Received
			s.Wants += x.Wants
			s.Duplicates += x.Duplicates
			s.Parked += x.Parked
			s.Repairs += x.Repairs
		}
		fmt.Println(peers, size, "to all", all, "copies of leaves", float64(received)/float64((peers-1)*size*len(all)), s)
		slices.Sort(all)
	})
}
