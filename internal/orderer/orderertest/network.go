// SPDX-License-Identifier: Apache-2.0

// Package orderertest makes a channel with a development ordering service for tests: organizations, a genesis block, identities and an
// in-memory connection with real TLS, which works inside a testing/synctest bubble. Everything is made with the clock of the caller.
package orderertest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// ErrRefused is what dialing an address gives where nothing listens.
var ErrRefused = errors.New("orderertest: connection refused")

// bufferSize of an in-memory connection, in bytes: small, so that a reader that stops is noticed soon.
const bufferSize = 64 << 10

// Network is a channel with two application organizations and one ordering organization that has two endpoints, or one for each consenter.
type Network struct {
	Channel    string
	Ordering   *devnet.Org
	Org1, Org2 *devnet.Org
	Later      []*devnet.Org // that a test has added to the channel: their administrators sign updates, too
	Addresses  []string
	Genesis    *common.Block
	Identity   *msp.SigningIdentity            // of the orderer
	Consenters map[uint32]*msp.SigningIdentity // of a BFT channel; the first is Identity
	ServerTLS  tls.Certificate                 // for both addresses
	Client     *devnet.Node                    // of Org1: may write and read
	Peer       *devnet.Node                    // of Org1: may read

	mu        sync.Mutex // guards listeners
	listeners map[string]*bufconn.Listener
}

// New makes a network whose channel is ordered by raft.
func New(t testing.TB) *Network { return newNetwork(t, devnet.Raft, 2) }

// NewBFT makes a network whose channel is ordered by so many consenters, (n-1)/3 of which may be faulty. Each has an endpoint.
func NewBFT(t testing.TB, consenters int) *Network { return newNetwork(t, devnet.BFT, consenters) }

func newNetwork(t testing.TB, consensus string, orderers int) *Network {
	t.Helper()
	n := &Network{
		Channel: "orders", Ordering: Org(t, "Orderer"), Org1: Org(t, "Org1"), Org2: Org(t, "Org2"),
		Consenters: map[uint32]*msp.SigningIdentity{}, listeners: map[string]*bufconn.Listener{},
	}
	hosts := []string{"localhost", "127.0.0.1"}
	for i := range orderers {
		hosts = append(hosts, fmt.Sprintf("orderer%d.example.com", i))
		n.Addresses = append(n.Addresses, fmt.Sprintf("orderer%d.example.com:7050", i))
	}
	certPEM, keyPEM, err := n.Ordering.TLS("orderer0.example.com", hosts, time.Now())
	require.NoError(t, err)
	n.ServerTLS, err = tls.X509KeyPair(certPEM, keyPEM)
	require.NoError(t, err)
	n.Client = Enroll(t, n.Org1, "User1", devnet.Client)
	n.Peer = Enroll(t, n.Org1, "peer0", devnet.Peer)
	nodes := make([]devnet.OrderingNode, orderers)
	for i, address := range n.Addresses {
		node := Enroll(t, n.Ordering, fmt.Sprintf("orderer%d", i), devnet.Orderer)
		n.Consenters[uint32(i+1)] = Signer(t, node)
		nodes[i] = devnet.OrderingNode{Org: n.Ordering, Address: address, TLSCert: certPEM, Identity: node.CertPEM()}
	}
	n.Identity = n.Consenters[1]
	n.Genesis, err = devnet.Genesis(devnet.Channel{
		ID: n.Channel, Orgs: []*devnet.Org{n.Org1, n.Org2}, Orderers: nodes, Consensus: consensus, BatchSize: 2, BatchTimeout: time.Second,
	}, time.Now())
	require.NoError(t, err)
	return n
}

// Config returns a configuration for orderer.New with a ledger in memory.
func (n *Network) Config() orderer.Config {
	return orderer.Config{Genesis: n.Genesis, Identity: n.Identity, Consenters: n.Consenters, TLS: n.ServerTLS}
}

// Orderer makes an ordering service and serves it at all addresses until the test ends.
func (n *Network) Orderer(t testing.TB, cfg orderer.Config) *orderer.Orderer {
	t.Helper()
	o, err := orderer.New(cfg)
	require.NoError(t, err)
	t.Cleanup(n.Serve(t, o, n.Addresses...))
	return o
}

// Serve serves o at the addresses until stop is called, which waits. It may be called more than once.
func (n *Network) Serve(t testing.TB, o *orderer.Orderer, addresses ...string) (stop func()) {
	t.Helper()
	listeners := make([]net.Listener, len(addresses))
	for i, address := range addresses {
		listeners[i] = n.Listen(address)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Serve(ctx, listeners...) }()
	return sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

// Listen opens an address; whoever accepts connections from it closes it.
func (n *Network) Listen(address string) net.Listener {
	l := bufconn.Listen(bufferSize)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[address] = l
	return l
}

// Dial connects to an address of the network; ErrRefused when nothing listens there.
func (n *Network) Dial(ctx context.Context, address string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	n.mu.Unlock()
	if l == nil {
		return nil, ErrRefused
	}
	return l.DialContext(ctx)
}

// Bundle returns the configuration of the genesis block.
func (n *Network) Bundle(t testing.TB) *channelconfig.Bundle {
	t.Helper()
	b, err := channelconfig.FromBlock(n.Genesis)
	require.NoError(t, err)
	return b
}

// Transaction returns a transaction of the network's client with an argument of so many bytes.
func (n *Network) Transaction(t testing.TB, bytes int) *common.Envelope {
	t.Helper()
	e, err := devnet.Transaction(n.Channel, n.Client, bytes, rand.Reader, time.Now())
	require.NoError(t, err)
	return e
}

// Fill orders blocks of one transaction each until the chain has a height.
func (n *Network) Fill(t testing.TB, o *orderer.Orderer, height uint64) {
	t.Helper()
	for o.Height() < height {
		require.NoError(t, o.Order(t.Context(), n.Transaction(t, 10)))
		_, err := o.Cut(t.Context())
		require.NoError(t, err)
	}
}

// Configure orders a config block with changes to the configuration in force and returns its number.
func (n *Network) Configure(t testing.TB, o *orderer.Orderer, changes ...devnet.Change) uint64 {
	t.Helper()
	config, update := n.Update(t, o.Bundle().Config(), changes...)
	number, err := o.Configure(t.Context(), config, update)
	require.NoError(t, err)
	return number
}

// Update makes the configuration after current, and the update to it with the signatures of all organizations' administrators.
// When the changes change nothing, a value is written again: an update without any change is refused.
func (n *Network) Update(t testing.TB, current *common.Config, changes ...devnet.Change) (*common.Config, *common.Envelope) {
	t.Helper()
	next, err := devnet.Update(current, changes...)
	require.NoError(t, err)
	if proto.Equal(current.GetChannelGroup(), next.GetChannelGroup()) {
		next.GetChannelGroup().GetGroups()["Orderer"].GetValues()["BatchTimeout"].Version++
	}
	var admins []devnet.Signer
	for _, org := range append([]*devnet.Org{n.Ordering, n.Org1, n.Org2}, n.Later...) {
		signers, err := org.Administrators(time.Now())
		require.NoError(t, err)
		admins = append(admins, signers...)
	}
	update, err := devnet.UpdateEnvelope(n.Channel, current, next, time.Now(), nil, admins...)
	require.NoError(t, err)
	return next, update
}

// Org makes an organization.
func Org(t testing.TB, name string) *devnet.Org {
	t.Helper()
	org, err := devnet.NewOrg(name, time.Now())
	require.NoError(t, err)
	return org
}

// Enroll makes a node of an organization.
func Enroll(t testing.TB, org *devnet.Org, name string, role devnet.Role) *devnet.Node {
	t.Helper()
	node, err := org.Enroll(name, role, time.Now())
	require.NoError(t, err)
	return node
}

// Signer returns the signing identity of a node.
func Signer(t testing.TB, node *devnet.Node) *msp.SigningIdentity {
	t.Helper()
	signer, err := msp.NewSigningIdentity(node.Org.MSPID, node.CertPEM(), node.Key)
	require.NoError(t, err)
	return signer
}

// ClientTLS makes a TLS client certificate of an organization.
func ClientTLS(t testing.TB, org *devnet.Org) *tls.Certificate {
	t.Helper()
	return TLS(t, org, "client."+org.Domain)
}

// TLS makes a TLS certificate of an organization for a host.
func TLS(t testing.TB, org *devnet.Org, host string) *tls.Certificate {
	t.Helper()
	certPEM, keyPEM, err := org.TLS(host, nil, time.Now())
	require.NoError(t, err)
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	require.NoError(t, err)
	return &pair
}
