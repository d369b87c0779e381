// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/stretchr/testify/require"
	"github.com/weft-p2p/weft"
	weftHost "github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/simtest"
	"google.golang.org/grpc/test/bufconn"
)

const channelName = "weftchannel"

// testNet is a network of organizations, their peers and an ordering service, in virtual time.
type testNet struct {
	*simtest.Net
	t       *testing.T
	log     *slog.Logger
	orgs    []*devnet.Org
	client  *devnet.Node
	genesis *common.Block
	orderer *orderer.Orderer
	blocks  *orderer.Memory // the ordering service's ledger
	listen  *bufconn.Listener
	random  *rand.Rand
	peers   []*testPeer
}

// testPeer is one peer: its identity, key and data outlive its crashes.
type testPeer struct {
	net    *testNet
	number int
	org    *devnet.Org
	node   *devnet.Node
	key    crypto.PrivKey
	dir    string

	host    *weftHost.Host
	weft    *weft.Node
	channel *weft.Channel
}

// newNet makes a network; no peer runs yet. Peers are numbered through all organizations: org o's are o*peers and on.
func newNet(t *testing.T, link simtest.Link, orgs, peers int) *testNet {
	n := &testNet{Net: simtest.New(t, link), t: t, log: testLog(t)}
	n.random = n.Rand(2)
	for o := range orgs {
		n.orgs = append(n.orgs, n.newOrg(fmt.Sprintf("Org%d", o+1)))
	}
	n.client = n.enroll(n.orgs[0], "client", devnet.Client)
	n.startOrderer()
	for _, org := range n.orgs {
		for p := range peers {
			n.add(org, p)
		}
	}
	return n
}

func testLog(t *testing.T) *slog.Logger {
	level := slog.LevelWarn
	if text := os.Getenv("WEFT_LOG"); text != "" {
		require.NoError(t, level.UnmarshalText([]byte(text)))
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level}))
}

func (n *testNet) newOrg(name string) *devnet.Org {
	org, err := devnet.NewOrg(name, time.Now())
	require.NoError(n.t, err)
	return org
}

func (n *testNet) enroll(org *devnet.Org, name string, role devnet.Role) *devnet.Node {
	node, err := org.Enroll(name, role, time.Now())
	require.NoError(n.t, err)
	return node
}

// startOrderer makes the ordering service's organization, the genesis block and the service.
func (n *testNet) startOrderer() {
	org := n.newOrg("Orderer")
	identity := n.enroll(org, "orderer0", devnet.Orderer)
	cert, key, err := org.TLS("orderer0", []string{"orderer.example.com"}, time.Now())
	require.NoError(n.t, err)
	pair, err := tls.X509KeyPair(cert, key)
	require.NoError(n.t, err)
	n.genesis, err = devnet.Genesis(devnet.Channel{
		ID: channelName, Orgs: n.orgs, BatchTimeout: 100 * time.Millisecond,
		Orderers: []devnet.OrderingNode{{Org: org, Address: "orderer.example.com:7050", TLSCert: cert, Identity: identity.CertPEM()}},
	}, time.Now())
	require.NoError(n.t, err)
	local, err := identity.Local()
	require.NoError(n.t, err)
	n.blocks = orderer.NewMemory()
	n.orderer, err = orderer.New(orderer.Config{
		Genesis: n.genesis, Identity: local.Signer, TLS: pair, Ledger: n.blocks, Log: n.log,
	})
	require.NoError(n.t, err)
	n.listen = bufconn.Listen(1 << 20)
	n.serve()
}

// serve runs the ordering service until the end of the test.
func (n *testNet) serve() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.orderer.Serve(ctx, n.listen) }()
	n.t.Cleanup(func() {
		cancel()
		require.NoError(n.t, <-done)
	})
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
		net: n, number: len(n.peers), org: org, key: key,
		node: n.enroll(org, fmt.Sprintf("peer%d", index), devnet.Peer),
		dir:  filepath.Join(n.t.TempDir(), fmt.Sprintf("peer%d", len(n.peers))),
	}
	n.peers = append(n.peers, p)
	n.t.Cleanup(p.stop)
	return p
}

// start starts a peer: host, node and channel. It bootstraps from the first peers of all organizations.
func (p *testPeer) start(opts ...weft.JoinOption) *testPeer {
	p.open()
	p.join(opts...)
	return p
}

// open starts the peer's host and node.
func (p *testPeer) open() {
	n := p.net
	ctx := context.Background()
	var err error
	p.host, err = weftHost.New(ctx, weftHost.Config{
		Key: p.key, ListenAddrs: []string{simtest.Address(p.number)}, ExternalAddrs: []string{simtest.Address(p.number)},
		Options: n.Options(p.number),
	})
	require.NoError(n.t, err)
	local, err := p.node.Local()
	require.NoError(n.t, err)
	p.weft, err = weft.New(p.host, p.host.PubSub, local, weft.WithGuard(p.host.Guard), weft.WithHostOwned(),
		weft.WithDataDir(p.dir), weft.WithLogger(n.log.With("node", p.number)), weft.WithBootstrap(n.bootstrap(p)...))
	require.NoError(n.t, err)
	p.host.Routing.Set(p.weft.FindPeer)
}

// bootstrap are the addresses that a peer starts from: the first peer of its organization, and peer 0.
func (n *testNet) bootstrap(p *testPeer) []string {
	var addrs []string
	for _, other := range n.peers {
		if other != p && (other.number == 0 || other.org == p.org) {
			addrs = append(addrs, simtest.Address(other.number))
		}
		if len(addrs) == 2 {
			break
		}
	}
	return addrs
}

func (p *testPeer) join(opts ...weft.JoinOption) {
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return p.net.listen.DialContext(ctx) }
	var err error
	p.channel, err = p.weft.Join(context.Background(), p.net.genesis, append(opts, weft.WithOrdererDialer(dial))...)
	require.NoError(p.net.t, err)
}

// stop stops the peer in good order, if it runs.
func (p *testPeer) stop() {
	if p.weft == nil {
		return
	}
	require.NoError(p.net.t, p.weft.Close())
	require.NoError(p.net.t, p.host.Close())
	p.weft, p.host, p.channel = nil, nil, nil
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

// startAll starts all peers, the first of each organization as its leader.
func (n *testNet) startAll() {
	led := map[*devnet.Org]bool{}
	for _, p := range n.peers {
		if !led[p.org] {
			led[p.org] = true
			p.start(weft.AsLeader())
			continue
		}
		p.start()
	}
}

// order orders blocks of about size bytes, one every interval.
func (n *testNet) order(blocks, size int, interval time.Duration) {
	for range blocks {
		random := rand.NewChaCha8([32]byte{byte(n.random.Uint32()), byte(n.random.Uint32()), byte(n.random.Uint32()), byte(n.random.Uint32())})
		tx, err := devnet.Transaction(channelName, n.client, size, random, time.Now())
		require.NoError(n.t, err)
		require.NoError(n.t, n.orderer.Order(context.Background(), tx))
		_, err = n.orderer.Cut(context.Background())
		require.NoError(n.t, err)
		time.Sleep(interval)
	}
}

// requireAll requires that the given peers reach the ordering service's height within a time, and hold its chain.
func (n *testNet) requireAll(within time.Duration, peers ...*testPeer) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	height := n.orderer.Height()
	var wg sync.WaitGroup
	for _, p := range peers {
		wg.Go(func() { _ = p.channel.WaitHeight(ctx, height) })
	}
	wg.Wait()
	for _, p := range peers {
		n.requireChain(p, height)
	}
}

// ordered is a block as the ordering service made it.
func (n *testNet) ordered(number uint64) *common.Block {
	b, err := n.blocks.Block(number)
	require.NoError(n.t, err)
	return b
}
