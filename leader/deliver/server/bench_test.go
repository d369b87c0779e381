// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/mem"

	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/leader/deliver/server"
)

// How many blocks a second one client gets from a ledger on disk over TLS on loopback, and how that compares with a gRPC stream that sends
// the same bytes from memory and does nothing else (x-bare: 1 is as fast). Neither client decodes what it receives.
func BenchmarkDeliver(b *testing.B) {
	for _, size := range []int{16 << 10, 160 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) { benchmarkDeliver(b, size) })
	}
}

// rounds alternate, so that what else the machine does hits both alike; the medians count.
const rounds = 8

func benchmarkDeliver(b *testing.B, size int) {
	c, l, raw := diskChain(b, size)
	s := listen(b, func(ctx context.Context, at net.Listener) error {
		cfg := c.config()
		cfg.Chain = func(string) server.Chain { return disk{c, l} }
		cfg.Limits.RequestRate = 1 << 20
		server, err := server.New(cfg)
		require.NoError(b, err)
		return server.Run(ctx, at)
	})
	bare := listen(b, func(ctx context.Context, l net.Listener) error { return serveBare(ctx, l, c, raw) })
	ours, theirs := dialRaw(b, c, s), dialRaw(b, c, bare)
	height := uint64(len(raw))
	pull(b, c, ours, height)
	pull(b, c, theirs, height)
	var served, stream []time.Duration
	b.SetBytes(int64(len(raw[1])))
	b.ResetTimer()
	for n := 0; n < b.N; n += rounds * int(height) {
		for range rounds {
			served = append(served, pull(b, c, ours, height))
			stream = append(stream, pull(b, c, theirs, height))
		}
	}
	b.StopTimer()
	slices.Sort(served)
	slices.Sort(stream)
	ourTime, theirTime := served[len(served)/2].Seconds(), stream[len(stream)/2].Seconds()
	b.ReportMetric(float64(height)/ourTime, "blocks/s")
	b.ReportMetric(float64(height)/theirTime, "bare-blocks/s")
	b.ReportMetric(theirTime/ourTime, "x-bare")
	b.ReportMetric(0, "ns/op")
}

// disk is a chain whose blocks are on disk.
type disk struct {
	*chain
	*ledger.Ledger
}

func (d disk) Read(first, last uint64, buf []byte) ([][]byte, error) {
	return d.Ledger.Read(first, last, buf)
}

// chainBytes is how long a chain is: more than caches hold, and more than a stream needs to get going, as when a peer catches up.
const chainBytes = 40 << 20

// diskChain is a chain of blocks of a size in a ledger on disk, and their bytes.
func diskChain(b *testing.B, size int) (*chain, *ledger.Ledger, [][]byte) {
	b.Helper()
	c := newChain(b, 2)
	template, err := c.made.Block(1)
	require.NoError(b, err)
	l, err := ledger.Open(b.TempDir(), ledger.Options{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, l.Close()) })
	var raw [][]byte
	for number := range uint64(chainBytes / size) {
		data := make([]byte, size)
		_, _ = rand.Read(data)
		block := &common.Block{
			Header: &common.BlockHeader{Number: number, PreviousHash: make([]byte, 32), DataHash: make([]byte, 32)},
			Data:   &common.BlockData{Data: [][]byte{data}}, Metadata: template.Metadata,
		}
		require.NoError(b, l.Append(block))
		raw = append(raw, encode(block))
	}
	c.set(func(s *server.State) { s.Height = uint64(len(raw)) })
	return c, l, raw
}

// listen runs a server on loopback until the benchmark ends.
func listen(b *testing.B, serve func(context.Context, net.Listener) error) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l) }()
	b.Cleanup(func() {
		cancel()
		require.NoError(b, <-done)
	})
	return l.Addr().String()
}

// serveBare sends every block, from memory and as it is, to who opens a stream.
func serveBare(ctx context.Context, l net.Listener, c *chain, raw [][]byte) error {
	s := grpc.NewServer(
		grpc.Creds(credentials.NewServerTLSFromCert(&c.net.ServerTLS)), grpc.WaitForHandlers(true), grpc.ForceServerCodecV2(rawCodec{}),
		grpc.UnknownServiceHandler(func(_ any, st grpc.ServerStream) error {
			for _, block := range raw {
				if err := st.SendMsg(mem.BufferSlice{mem.SliceBuffer(block)}); err != nil {
					return err
				}
			}
			return nil
		}),
	)
	stop := context.AfterFunc(ctx, s.Stop)
	defer stop()
	return s.Serve(l)
}

// rawCodec leaves messages as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) { return v.(mem.BufferSlice), nil }

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*int) = data.Len()
	return nil
}

func dialRaw(b *testing.B, c *chain, address string) *grpc.ClientConn {
	b.Helper()
	roots := x509.NewCertPool()
	require.True(b, roots.AppendCertsFromPEM(c.net.Ordering.TLSRoot()))
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots})),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})))
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	return conn
}

// pull receives all blocks on a new stream and returns how long that took.
func pull(b *testing.B, c *chain, conn *grpc.ClientConn, height uint64) time.Duration {
	b.Helper()
	began := time.Now()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	st, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, orderer.AtomicBroadcast_Deliver_FullMethodName)
	require.NoError(b, err)
	request := encode(c.request(seek(oldest(), at(height-1))))
	_ = st.SendMsg(mem.BufferSlice{mem.SliceBuffer(request)}) // the bare server may be done before
	size := 0
	for range height {
		require.NoError(b, st.RecvMsg(&size))
	}
	return time.Since(began)
}
