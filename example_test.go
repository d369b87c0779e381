// SPDX-License-Identifier: Apache-2.0

package weft_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/msp"
)

// Two peers of an organization share a channel on libp2p hosts that serve a protocol of their own as well. The first leads:
// it pulls the blocks, here from a source in this process, otherwise from the channel's ordering service. The second gets
// them from the first.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "weft-example")
	check(err)
	defer os.RemoveAll(dir)
	network := newDevelopmentNetwork(ctx, 3)

	// The hosts, and what they served before weft came.
	first, second := newHost(), newHost()
	defer first.Close()
	defer second.Close()
	first.SetStreamHandler("/echo/1.0.0", echo)

	// The leader. A guard's options go into the PubSub when it is made; the PubSub is free for topics of the caller's.
	leading, stop := newNode(ctx, first, network.identity("peer0"), filepath.Join(dir, "peer0"))
	defer stop()
	_, err = leading.Join(ctx, network.genesis, weft.AsLeader(), weft.WithSource(network))
	check(err)

	// The other peer knows the genesis block and where a member of its organization is.
	following, stop := newNode(ctx, second, network.identity("peer1"), filepath.Join(dir, "peer1"), weft.WithBootstrap(address(first)))
	defer stop()
	channel, err := following.Join(ctx, network.genesis, weft.AsFollower())
	check(err)

	// Committed blocks, verified, in order, each once; the loop would go on with those still to come.
	for block, err := range channel.Blocks(ctx, 1) {
		check(err)
		fmt.Printf("%s: block %d with %d transaction\n", channel.ID(), block.Header.Number, len(block.Data.Data))
		if block.Header.Number == 3 {
			break
		}
	}

	// The connection is there for everybody, and weft finds members for everybody.
	stream, err := second.NewStream(ctx, first.ID(), "/echo/1.0.0")
	check(err)
	fmt.Fprintln(stream, "and the hosts still echo")
	line, err := bufio.NewReader(stream).ReadString('\n')
	check(err)
	fmt.Print(line)
	check(stream.Close())

	check(channel.Leave(ctx))
	fmt.Println("left at height", channel.Height())
	// Output:
	// trade: block 1 with 1 transaction
	// trade: block 2 with 1 transaction
	// trade: block 3 with 1 transaction
	// and the hosts still echo
	// left at height 4
}

// newNode makes a node on a caller's host. stop closes the node, and then the PubSub below it.
func newNode(ctx context.Context, h host.Host, identity *msp.Local, dir string, opts ...weft.Option) (n *weft.Node, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	guard := weft.NewGuard()
	ps, err := pubsub.NewGossipSub(ctx, h, guard.PubSubOptions()...)
	check(err)
	n, err = weft.New(h, ps, identity, append(opts, weft.WithGuard(guard), weft.WithDataDir(dir))...)
	check(err)
	return n, func() {
		check(n.Close())
		cancel()
	}
}

func newHost() host.Host {
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	check(err)
	return h
}

func address(h host.Host) string {
	addrs, err := peer.AddrInfoToP2pAddrs(host.InfoFromHost(h))
	check(err)
	return addrs[0].String()
}

// echo is the protocol that the hosts serve besides.
func echo(s network.Stream) {
	defer s.Close()
	line, err := bufio.NewReader(s).ReadString('\n')
	if err == nil {
		fmt.Fprint(s, line)
	}
}

// developmentNetwork stands for what an operator has: certificates in MSP folders, which msp.Load reads, a genesis block, and
// an ordering service.
type developmentNetwork struct {
	org     *devnet.Org
	genesis *common.Block
	chain   *orderer.Memory
}

// Pull is leader.Source: it hands over the blocks from a number on until ctx ends.
func (n *developmentNetwork) Pull(ctx context.Context, from uint64, submit leader.Submit) error {
	for number := from; number < n.chain.Height(); number++ {
		b, err := n.chain.Block(number)
		if err != nil {
			return err
		}
		if err := submit(ctx, proto.CloneOf(b)); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func (n *developmentNetwork) identity(name string) *msp.Local {
	node, err := n.org.Enroll(name, devnet.Peer, time.Now())
	check(err)
	local, err := node.Local()
	check(err)
	return local
}

// newDevelopmentNetwork makes a channel of one organization, with so many blocks.
func newDevelopmentNetwork(ctx context.Context, blocks int) *developmentNetwork {
	now := time.Now()
	org, err := devnet.NewOrg("Org1", now)
	check(err)
	ordering, err := devnet.NewOrg("Orderer", now)
	check(err)
	service, err := ordering.Enroll("orderer0", devnet.Orderer, now)
	check(err)
	cert, key, err := ordering.TLS("orderer0", nil, now)
	check(err)
	pair, err := tls.X509KeyPair(cert, key)
	check(err)
	genesis, err := devnet.Genesis(devnet.Channel{ID: "trade", Orgs: []*devnet.Org{org}, Orderers: []devnet.OrderingNode{
		{Org: ordering, Address: "orderer0:7050", TLSCert: cert, Identity: service.CertPEM()},
	}}, now)
	check(err)
	local, err := service.Local()
	check(err)
	n := &developmentNetwork{org: org, genesis: genesis, chain: orderer.NewMemory()}
	o, err := orderer.New(orderer.Config{Genesis: genesis, Identity: local.Signer, TLS: pair, Ledger: n.chain})
	check(err)
	n.order(ctx, o, blocks)
	return n
}

// order runs the ordering service for as long as it takes to make the blocks.
func (n *developmentNetwork) order(ctx context.Context, o *orderer.Orderer, blocks int) {
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error)
	go func() { served <- o.Serve(ctx) }()
	client, err := n.org.Enroll("client", devnet.Client, time.Now())
	check(err)
	for range blocks {
		tx, err := devnet.Transaction("trade", client, 100, rand.NewChaCha8([32]byte{}), time.Now())
		check(err)
		check(o.Order(ctx, tx))
		_, err = o.Cut(ctx)
		check(err)
	}
	cancel()
	check(<-served)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
