// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/test/bufconn"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer"
)

// errCut is what a peer gets that dials an ordering service which is down, or on the other side of a partition.
var errCut = errors.New("integration: the ordering service is out of reach")

// ordering is the ordering service. Its ledger outlives it.
type ordering struct {
	org     *devnet.Org
	config  orderer.Config
	orderer *orderer.Orderer
	blocks  *orderer.Memory
	stop    func()

	mu     sync.Mutex // guards all below
	listen *bufconn.Listener
	conns  map[int][]net.Conn // by the number of the peer that dialed
	off    map[int]bool       // peers that are cut off
	dials  int                // connections that were opened
}

// newOrdering makes the ordering service's organization and the genesis block; it does not run yet.
func (n *testNet) newOrdering() (*ordering, *common.Block) {
	org := n.newOrg("Orderer")
	identity := n.enroll(org, "orderer0", devnet.Orderer)
	cert, key, err := org.TLS("orderer0", []string{"orderer.example.com"}, time.Now())
	require.NoError(n.t, err)
	pair, err := tls.X509KeyPair(cert, key)
	require.NoError(n.t, err)
	genesis, err := devnet.Genesis(devnet.Channel{
		ID: channelName, Orgs: n.orgs, BatchTimeout: 100 * time.Millisecond,
		Orderers: []devnet.OrderingNode{{Org: org, Address: "orderer.example.com:7050", TLSCert: cert, Identity: identity.CertPEM()}},
	}, time.Now())
	require.NoError(n.t, err)
	local, err := identity.Local()
	require.NoError(n.t, err)
	o := &ordering{org: org, blocks: orderer.NewMemory(), conns: map[int][]net.Conn{}, off: map[int]bool{}}
	o.config = orderer.Config{Genesis: genesis, Identity: local.Signer, TLS: pair, Ledger: o.blocks, Log: n.log}
	return o, genesis
}

// serve runs the ordering service, until it is killed or the test ends.
func (n *testNet) serve() {
	o, err := orderer.New(n.config)
	require.NoError(n.t, err)
	listen := bufconn.Listen(1 << 20)
	n.orderer = o
	n.mu.Lock()
	n.listen = listen
	n.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Serve(ctx, listen) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(n.t, <-done)
	})
	n.t.Cleanup(n.stop)
}

// kill ends the ordering service.
func (n *testNet) kill() {
	n.mu.Lock()
	n.listen = nil
	n.mu.Unlock()
	n.stop()
}

// dialAs opens a connection of a peer to the ordering service.
func (o *ordering) dialAs(ctx context.Context, number int) (net.Conn, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.off[number] || o.listen == nil {
		return nil, errCut
	}
	c, err := o.listen.DialContext(ctx)
	if err == nil {
		o.dials++
		o.conns[number] = append(o.conns[number], c)
	}
	return c, err
}

// dialed is how many connections were opened so far.
func (o *ordering) dialed() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dials
}

// cutOff takes the ordering service away from a peer.
func (o *ordering) cutOff(number int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.off[number] = true
	for _, c := range o.conns[number] {
		_ = c.Close()
	}
	delete(o.conns, number)
}

func (o *ordering) mendOff(number int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.off, number)
}

// order orders blocks of about size bytes, one every interval.
func (n *testNet) order(blocks, size int, interval time.Duration) {
	for range blocks {
		n.cut(n.transaction(size))
		time.Sleep(interval)
	}
}

// transaction makes a transaction of size bytes.
func (n *testNet) transaction(size int) *common.Envelope {
	random := rand.NewChaCha8([32]byte{byte(n.random.Uint32()), byte(n.random.Uint32()), byte(n.random.Uint32()), byte(n.random.Uint32())})
	tx, err := devnet.Transaction(channelName, n.client, size, random, time.Now())
	require.NoError(n.t, err)
	return tx
}

// cut orders a block of one transaction.
func (n *testNet) cut(tx *common.Envelope) {
	require.NoError(n.t, n.orderer.Order(context.Background(), tx))
	_, err := n.orderer.Cut(context.Background())
	require.NoError(n.t, err)
}

// configure orders a config block.
func (n *testNet) configure(changes ...devnet.Change) {
	current := n.orderer.Bundle().Config()
	next, err := devnet.Update(current, changes...)
	require.NoError(n.t, err)
	var admins []devnet.Signer
	for _, org := range append(slices.Clone(n.orgs), n.org) {
		signers, err := org.Administrators(time.Now())
		require.NoError(n.t, err)
		admins = append(admins, signers...)
	}
	update, err := devnet.UpdateEnvelope(channelName, current, next, time.Now(), nil, admins...)
	require.NoError(n.t, err)
	_, err = n.orderer.Configure(context.Background(), next, update)
	require.NoError(n.t, err)
}

// ordered is a block as the ordering service made it.
func (n *testNet) ordered(number uint64) *common.Block {
	b, err := n.blocks.Block(number)
	require.NoError(n.t, err)
	return b
}
