// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-p2p/weft/internal/devnet"
	ordering "github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader/deliver/server"
)

// chain is a server.Chain that tests feed from the blocks of an ordering service.
type chain struct {
	net    *orderertest.Network
	source *ordering.Orderer
	made   *ordering.Memory

	mu      sync.Mutex // guards all below
	state   server.State
	changed chan struct{}
	bytes   func(number uint64) ([]byte, error)
	reads   int
}

var errGone = errors.New("the ledger is gone")

// newChain makes a chain of a height, behind an ordering service that nobody else sees.
func newChain(t testing.TB, height uint64) *chain {
	t.Helper()
	n := orderertest.New(t)
	c := &chain{net: n, made: ordering.NewMemory(), changed: make(chan struct{})}
	cfg := n.Config()
	cfg.Ledger = c.made
	var err error
	c.source, err = ordering.New(cfg)
	require.NoError(t, err)
	t.Cleanup(n.Serve(t, c.source))
	c.bytes = c.made.Bytes
	c.fill(t, height)
	return c
}

// fill makes blocks until there are so many, and shows them.
func (c *chain) fill(t testing.TB, height uint64) {
	t.Helper()
	c.net.Fill(t, c.source, height)
	c.show()
}

// configure makes a config block and shows it.
func (c *chain) configure(t testing.TB, changes ...devnet.Change) {
	t.Helper()
	c.net.Configure(t, c.source, changes...)
	c.show()
}

func (c *chain) show() {
	c.set(func(s *server.State) { s.Height, s.Bundle = c.source.Height(), c.source.Bundle() })
}

func (c *chain) set(change func(*server.State)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.state)
	close(c.changed)
	c.changed = make(chan struct{})
}

// replace makes the ledger return something else.
func (c *chain) replace(bytes func(number uint64) ([]byte, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes = bytes
}

func (c *chain) Look() (server.State, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.changed
}

// Read fills buf as the ledger does: with as many blocks as have room.
func (c *chain) Read(first, last uint64, buf []byte) (blocks [][]byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for number := first; number <= last; number++ {
		raw, err := c.bytes(number)
		if len(blocks) > 0 && (err != nil || len(buf)+len(raw) > cap(buf)) {
			break
		}
		if err != nil {
			return nil, err
		}
		c.reads++
		from := len(buf)
		buf = append(buf, raw...)
		blocks = append(blocks, buf[from:])
	}
	return blocks, nil
}

func (c *chain) read() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads
}

// config is that of a server of the chain's channel and no other.
func (c *chain) config() server.Config {
	return server.Config{
		Chain: func(channel string) server.Chain {
			if channel != c.net.Channel {
				return nil
			}
			return c
		},
		Events: true, Certificate: c.net.ServerTLS,
	}
}

// clients is a connection to a server.
type clients struct {
	orderer.AtomicBroadcastClient
	events peer.DeliverClient
	conn   *grpc.ClientConn
}

// served is a server that runs.
type served struct {
	chain  *chain
	listen *bufconn.Listener
	stop   func()
}

// serve runs a server until the test ends.
func serve(t testing.TB, c *chain, cfg server.Config) served {
	t.Helper()
	s, err := server.New(cfg)
	require.NoError(t, err)
	l := bufconn.Listen(64 << 10)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	stop := sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return served{c, l, stop}
}

// connect opens a connection, with a client certificate or without.
func (s served) connect(t testing.TB, cert *tls.Certificate, opts ...grpc.DialOption) clients {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(s.chain.net.Ordering.TLSRoot()))
	conf := &tls.Config{RootCAs: roots}
	if cert != nil {
		// Shown whatever CAs the server names. Go's clients, stock peers too, leave it out if none of those has issued it.
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	conn, err := grpc.NewClient("passthrough:///localhost:7050", append([]grpc.DialOption{
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.listen.DialContext(ctx) }),
		grpc.WithNoProxy(), grpc.WithTransportCredentials(credentials.NewTLS(conf)),
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return clients{orderer.NewAtomicBroadcastClient(conn), peer.NewDeliverClient(conn), conn}
}

// deliver opens a stream of the orderer's Deliver.
func (s served) deliver(t testing.TB) orderer.AtomicBroadcast_DeliverClient {
	t.Helper()
	stream, err := s.connect(t, nil).Deliver(t.Context())
	require.NoError(t, err)
	return stream
}

// receive reads up to and including the next status, and returns the numbers of the blocks before it. The status is 0 when the stream
// ended without one.
func receive(stream orderer.AtomicBroadcast_DeliverClient) (numbers []uint64, status common.Status, err error) {
	for {
		answer, err := stream.Recv()
		if err != nil {
			return numbers, 0, err
		}
		if b := answer.GetBlock(); b != nil {
			numbers = append(numbers, b.GetHeader().GetNumber())
			continue
		}
		return numbers, answer.GetStatus(), nil
	}
}

// ask is a Deliver request that tests bend.
type ask struct {
	channel string
	at      time.Time
	hash    []byte
	signer  *devnet.Node
	pad     int
}

func (c *chain) request(info *orderer.SeekInfo, change ...func(*ask)) *common.Envelope {
	a := ask{channel: c.net.Channel, at: time.Now(), signer: c.net.Peer}
	for _, bend := range change {
		bend(&a)
	}
	nonce := make([]byte, 24+a.pad)
	_, _ = rand.Read(nonce)
	payload := encode(&common.Payload{
		Header: &common.Header{
			ChannelHeader: encode(&common.ChannelHeader{
				Type: int32(common.HeaderType_DELIVER_SEEK_INFO), ChannelId: a.channel, Timestamp: timestamppb.New(a.at), TlsCertHash: a.hash,
			}),
			SignatureHeader: encode(&common.SignatureHeader{Creator: a.signer.Serialize(), Nonce: nonce}),
		},
		Data: encode(info),
	})
	signature, err := a.signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	return &common.Envelope{Payload: payload, Signature: signature}
}

func by(node *devnet.Node) func(*ask)        { return func(a *ask) { a.signer = node } }
func on(channel string) func(*ask)           { return func(a *ask) { a.channel = channel } }
func bound(hash []byte) func(*ask)           { return func(a *ask) { a.hash = hash } }
func padded(bytes int) func(*ask)            { return func(a *ask) { a.pad = bytes } }
func off(by time.Duration) func(*ask)        { return func(a *ask) { a.at = a.at.Add(by) } }
func failIfNotReady(s *orderer.SeekInfo)     { s.Behavior = orderer.SeekInfo_FAIL_IF_NOT_READY }
func headersOnly(s *orderer.SeekInfo)        { s.ContentType = orderer.SeekInfo_HEADER_WITH_SIG }
func bestEffort(s *orderer.SeekInfo)         { s.ErrorResponse = orderer.SeekInfo_BEST_EFFORT }
func forever(first uint64) *orderer.SeekInfo { return seek(at(first), at(math.MaxUint64)) }

func seek(start, stop *orderer.SeekPosition, change ...func(*orderer.SeekInfo)) *orderer.SeekInfo {
	info := &orderer.SeekInfo{Start: start, Stop: stop}
	for _, bend := range change {
		bend(info)
	}
	return info
}

func at(number uint64) *orderer.SeekPosition {
	return &orderer.SeekPosition{Type: &orderer.SeekPosition_Specified{Specified: &orderer.SeekSpecified{Number: number}}}
}

func oldest() *orderer.SeekPosition {
	return &orderer.SeekPosition{Type: &orderer.SeekPosition_Oldest{Oldest: &orderer.SeekOldest{}}}
}

func newest() *orderer.SeekPosition {
	return &orderer.SeekPosition{Type: &orderer.SeekPosition_Newest{Newest: &orderer.SeekNewest{}}}
}

func nextCommit() *orderer.SeekPosition {
	return &orderer.SeekPosition{Type: &orderer.SeekPosition_NextCommit{NextCommit: &orderer.SeekNextCommit{}}}
}

func encode(m proto.Message) []byte {
	raw, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return raw
}
