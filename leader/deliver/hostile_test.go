// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"io"
	"math"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	pb "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader/deliver"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

func withDialed(cfg deliver.Config, dialed *[]string, dial func(context.Context, string) (net.Conn, error)) deliver.Config {
	cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		*dialed = append(*dialed, address)
		return dial(ctx, address)
	}
	return cfg
}

func TestLyingOrderer(t *testing.T) {
	for name, tc := range map[string]struct {
		answers []*pb.DeliverResponse
		taken   []uint64
		err     error
	}{
		"gap":              {[]*pb.DeliverResponse{blockAnswer(blockOf(5, 1)), blockAnswer(blockOf(7, 1))}, []uint64{5}, deliver.ErrNumber},
		"repetition":       {[]*pb.DeliverResponse{blockAnswer(blockOf(5, 1)), blockAnswer(blockOf(5, 1))}, []uint64{5}, deliver.ErrNumber},
		"starts too early": {[]*pb.DeliverResponse{blockAnswer(blockOf(0, 1))}, []uint64{}, deliver.ErrNumber},
		"starts too late":  {[]*pb.DeliverResponse{blockAnswer(blockOf(math.MaxUint64, 1))}, []uint64{}, deliver.ErrNumber},
		"no block":         {[]*pb.DeliverResponse{blockAnswer(nil)}, []uint64{}, deliver.ErrMalformed},
		"no header":        {[]*pb.DeliverResponse{blockAnswer(&common.Block{Data: &common.BlockData{}, Metadata: &common.BlockMetadata{}})}, []uint64{}, deliver.ErrMalformed},
		"no data":          {[]*pb.DeliverResponse{blockAnswer(&common.Block{Header: &common.BlockHeader{Number: 5}, Metadata: &common.BlockMetadata{}})}, []uint64{}, deliver.ErrMalformed},
		"no metadata":      {[]*pb.DeliverResponse{blockAnswer(&common.Block{Header: &common.BlockHeader{Number: 5}, Data: &common.BlockData{}})}, []uint64{}, deliver.ErrMalformed},
		"empty answer":     {[]*pb.DeliverResponse{{}}, []uint64{}, deliver.ErrMalformed},
		"BAD_REQUEST":      {[]*pb.DeliverResponse{statusAnswer(common.Status_BAD_REQUEST)}, []uint64{}, deliver.ErrBadRequest},
		"SUCCESS":          {[]*pb.DeliverResponse{blockAnswer(blockOf(5, 1)), statusAnswer(common.Status_SUCCESS)}, []uint64{5}, deliver.ErrStatus},
		"made-up status":   {[]*pb.DeliverResponse{statusAnswer(999)}, []uint64{}, deliver.ErrStatus},
		"hangs up":         {[]*pb.DeliverResponse{blockAnswer(blockOf(5, 1))}, []uint64{5}, io.EOF},
		"hangs up at once": {nil, []uint64{}, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, r := orderertest.New(t), &receiver{}
				serveFake(t, n, n.Listen(n.Addresses[0]), func(stream pb.AtomicBroadcast_DeliverServer, _ *common.Envelope) error {
					for _, a := range tc.answers {
						if err := stream.Send(a); err != nil {
							return err
						}
					}
					return nil
				})
				cfg := config(t, n)
				cfg.Endpoints = only(t, n, n.Addresses[0])
				require.ErrorIs(t, newClient(t, cfg).Pull(t.Context(), 5, r.submit), tc.err)
				require.Equal(t, tc.taken, r.numbers())
			})
		})
	}
}

func TestRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		var requests []*common.Envelope
		serveFake(t, n, n.Listen(n.Addresses[0]), func(_ pb.AtomicBroadcast_DeliverServer, e *common.Envelope) error {
			requests = append(requests, e)
			return nil
		})
		cfg := config(t, n)
		cfg.Endpoints, cfg.ClientCert = only(t, n, n.Addresses[0]), orderertest.ClientTLS(t, n.Org1)
		c := newClient(t, cfg)
		var nonces [][]byte
		for i := range 2 {
			time.Sleep(time.Hour)
			require.ErrorIs(t, c.Pull(t.Context(), 42, nil), io.EOF)
			payload, header, by, info := &common.Payload{}, &common.ChannelHeader{}, &common.SignatureHeader{}, &pb.SeekInfo{}
			decode(t, requests[i].GetPayload(), payload)
			decode(t, payload.GetHeader().GetChannelHeader(), header)
			decode(t, payload.GetHeader().GetSignatureHeader(), by)
			decode(t, payload.GetData(), info)
			require.EqualValues(t, common.HeaderType_DELIVER_SEEK_INFO, header.GetType())
			require.Equal(t, n.Channel, header.GetChannelId())
			require.True(t, time.Now().Equal(header.GetTimestamp().AsTime()), "the timestamp is fresh")
			hash := sha256.Sum256(cfg.ClientCert.Certificate[0])
			require.Equal(t, hash[:], header.GetTlsCertHash())
			creator := &mspproto.SerializedIdentity{}
			decode(t, by.GetCreator(), creator)
			require.Equal(t, n.Org1.MSPID, creator.GetMspid())
			require.NoError(t, cfg.Signer().Verify(requests[i].GetPayload(), requests[i].GetSignature()))
			require.EqualValues(t, 42, info.GetStart().GetSpecified().GetNumber())
			require.EqualValues(t, uint64(math.MaxUint64), info.GetStop().GetSpecified().GetNumber())
			require.Equal(t, pb.SeekInfo_BLOCK_UNTIL_READY, info.GetBehavior())
			require.Equal(t, pb.SeekInfo_BLOCK, info.GetContentType())
			require.Equal(t, pb.SeekInfo_STRICT, info.GetErrorResponse())
			require.Len(t, by.GetNonce(), 24)
			nonces = append(nonces, by.GetNonce())
		}
		require.NotEqual(t, nonces[0], nonces[1])
	})
}

// A receiver that waits stops the orderer: what is under way is bounded by the windows of gRPC and of the connection.
func TestBackpressureReachesTheOrderer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		const size = 16 << 10
		var sent atomic.Int64
		serveFake(t, n, n.Listen(n.Addresses[0]), func(stream pb.AtomicBroadcast_DeliverServer, _ *common.Envelope) error {
			for number := uint64(0); ; number++ {
				if err := stream.Send(blockAnswer(blockOf(number, size))); err != nil {
					return err
				}
				sent.Add(1)
			}
		})
		cfg, taken := config(t, n), make(chan *common.Block)
		cfg.Endpoints = only(t, n, n.Addresses[0])
		stop := pull(t, newClient(t, cfg), 0, func(ctx context.Context, b *common.Block) error {
			select {
			case taken <- b:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		synctest.Wait()
		require.Less(t, sent.Load()*size, int64(1<<20))
		before := sent.Load()
		time.Sleep(time.Hour)
		require.Equal(t, before, sent.Load())
		for number := range uint64(100) {
			require.Equal(t, number, (<-taken).GetHeader().GetNumber())
		}
		synctest.Wait()
		require.GreaterOrEqual(t, sent.Load(), int64(100))
		require.ErrorIs(t, stop(), context.Canceled, "the end of ctx reaches a waiting submit")
	})
}

// accept serves each connection of l with a function, until the test ends.
func accept(t *testing.T, l net.Listener, serve func(net.Conn)) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
}

func TestNotAnOrderer(t *testing.T) {
	silence := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
	garbage := func(conn net.Conn) {
		_, _ = conn.Write([]byte("HTTP/1.0 400 Bad Request\r\n\r\nnonsense nonsense nonsense"))
		silence(conn)
	}
	for name, tc := range map[string]struct {
		serve func(n *orderertest.Network, conn net.Conn)
		err   string
	}{
		"garbage in place of TLS": {func(_ *orderertest.Network, conn net.Conn) { garbage(conn) }, "first record does not look like a TLS handshake"},
		"garbage inside TLS": {func(n *orderertest.Network, conn net.Conn) {
			garbage(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{n.ServerTLS}, NextProtos: []string{"h2"}}))
		}, "error reading server preface"},
		"TLS without h2": {func(n *orderertest.Network, conn net.Conn) {
			silence(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{n.ServerTLS}}))
		}, "ALPN"},
		"silence in place of TLS": {func(_ *orderertest.Network, conn net.Conn) { silence(conn) }, "deadline exceeded"},
		"silence inside TLS": {func(n *orderertest.Network, conn net.Conn) {
			silence(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{n.ServerTLS}, NextProtos: []string{"h2"}}))
		}, "server preface"},
		"old TLS": {func(n *orderertest.Network, conn net.Conn) {
			silence(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{n.ServerTLS}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}))
		}, "protocol version not supported"},
		"certificate of another CA": {func(n *orderertest.Network, conn net.Conn) {
			silence(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*orderertest.TLS(t, n.Org1, "orderer0.example.com")}, NextProtos: []string{"h2"}}))
		}, "certificate signed by unknown authority"},
		"certificate for another host": {func(n *orderertest.Network, conn net.Conn) {
			silence(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*orderertest.ClientTLS(t, n.Ordering)}, NextProtos: []string{"h2"}}))
		}, "certificate is valid for"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := orderertest.New(t)
				accept(t, n.Listen(n.Addresses[0]), func(conn net.Conn) { tc.serve(n, conn) })
				cfg := config(t, n)
				cfg.Endpoints = only(t, n, n.Addresses[0])
				c, begin := newClient(t, cfg), time.Now()
				require.ErrorContains(t, c.Pull(t.Context(), 0, nil), tc.err)
				require.LessOrEqual(t, time.Since(begin), deliver.DefaultConnTimeout)
				require.Empty(t, c.Endpoint())
			})
		})
	}
}

func TestPlaintextOrderer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		server := grpc.NewServer()
		pb.RegisterAtomicBroadcastServer(server, &fake{})
		l, done := n.Listen(n.Addresses[0]), make(chan struct{})
		go func() {
			defer close(done)
			_ = server.Serve(l)
		}()
		cfg := config(t, n)
		cfg.Endpoints = only(t, n, n.Addresses[0])
		require.Error(t, newClient(t, cfg).Pull(t.Context(), 0, nil), "there is no way around TLS")
		server.Stop()
		<-done
	})
}

func TestBadRootsInConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		n.Orderer(t, n.Config())
		for name, tc := range map[string]struct {
			roots [][]byte
			err   string
		}{
			"none":              {nil, "unknown authority"},
			"no certificate":    {[][]byte{[]byte("nonsense")}, "is not a certificate"},
			"of another org":    {[][]byte{n.Org1.TLSRoot()}, "unknown authority"},
			"several, one fits": {[][]byte{n.Org1.TLSRoot(), n.Ordering.TLSRoot()}, ""},
		} {
			cfg, r := config(t, n), &receiver{}
			cfg.Endpoints = func() []channelconfig.Endpoint {
				return []channelconfig.Endpoint{{Address: n.Addresses[0], MSPID: n.Ordering.MSPID, TLSRoots: tc.roots}}
			}
			stop := pull(t, newClient(t, cfg), 0, r.submit)
			time.Sleep(time.Second)
			err := stop()
			require.Equal(t, tc.err == "", r.Height() == 1, name)
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err, name)
			}
		}
	})
}

// deaf is a connection that stops carrying anything, without being closed: a pulled cable.
type deaf struct {
	net.Conn
	cut    chan struct{}
	closed chan struct{}
}

func (d *deaf) Read(p []byte) (int, error) {
	n, err := d.Conn.Read(p)
	select {
	case <-d.cut:
		<-d.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (d *deaf) Write(p []byte) (int, error) {
	select {
	case <-d.cut:
		return len(p), nil
	default:
		return d.Conn.Write(p)
	}
}

func (d *deaf) Close() error {
	select {
	case <-d.closed:
	default:
		close(d.closed)
	}
	return d.Conn.Close()
}

func TestKeepaliveFindsADeadConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		n.Orderer(t, n.Config())
		cfg, cut := config(t, n), make(chan struct{})
		cfg.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := n.Dial(ctx, address)
			return &deaf{conn, cut, make(chan struct{})}, err
		}
		r, done := &receiver{}, make(chan error, 1)
		c := newClient(t, cfg)
		go func() { done <- c.Pull(t.Context(), 0, r.submit) }()
		time.Sleep(24 * time.Hour)
		require.EqualValues(t, 1, r.Height())
		require.NotEmpty(t, c.Endpoint(), "a quiet stream stays open")
		close(cut)
		begin := time.Now()
		require.ErrorContains(t, <-done, "keepalive")
		require.LessOrEqual(t, time.Since(begin), deliver.DefaultKeepaliveInterval+deliver.DefaultKeepaliveTimeout)
	})
}

func TestEndOfContext(t *testing.T) {
	silence := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
	for name, arrange := range map[string]func(t *testing.T, n *orderertest.Network, cfg *deliver.Config){
		"while dialing": func(_ *testing.T, _ *orderertest.Network, cfg *deliver.Config) {
			cfg.Dial = func(ctx context.Context, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		},
		"in the handshake": func(t *testing.T, n *orderertest.Network, _ *deliver.Config) {
			accept(t, n.Listen(n.Addresses[0]), silence)
		},
		"while streaming": func(t *testing.T, n *orderertest.Network, _ *deliver.Config) { n.Orderer(t, n.Config()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := orderertest.New(t)
				cfg := config(t, n)
				cfg.Endpoints = only(t, n, n.Addresses[0])
				arrange(t, n, &cfg)
				stop := pull(t, newClient(t, cfg), 0, (&receiver{}).submit)
				time.Sleep(time.Second)
				begin := time.Now()
				require.Error(t, stop())
				require.Zero(t, time.Since(begin), "at once")
			})
		})
	}
}
