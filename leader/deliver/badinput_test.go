// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	pb "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/leader"
	"github.com/weft-p2p/weft/leader/deliver"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// judging takes blocks as a channel does, and refuses those that do not verify.
type judging struct {
	receiver
	at       sync.Mutex // guards verifier
	verifier *channelconfig.Verifier
}

func (j *judging) submit(ctx context.Context, b *common.Block) error {
	j.at.Lock()
	defer j.at.Unlock()
	if b.GetHeader().GetNumber() > 0 {
		if err := j.verifier.Verify(b); err != nil {
			return fmt.Errorf("%w: %w", leader.ErrRefused, err)
		}
		if err := j.verifier.Advance(b); err != nil {
			return err
		}
	}
	return j.receiver.submit(ctx, b)
}

// ahead is a verifier of what follows.
func (j *judging) ahead() *channelconfig.Verifier {
	j.at.Lock()
	defer j.at.Unlock()
	return channelconfig.VerifierAt(j.verifier.Bundle(), j.verifier.Next(), j.verifier.PreviousHash())
}

// warnings is a log that keeps the lines an operator sees.
type warnings struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (w *warnings) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(p)
}

func (w *warnings) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(func(yield func(string) bool) {
		for line := range bytes.Lines(w.buf.Bytes()) {
			if !yield(string(line)) {
				return
			}
		}
	})
}

// first returns a seed's randomness with which the endpoint at an address is tried first.
func first(endpoints []channelconfig.Endpoint, address string) *rand.Rand {
	for seed := uint64(0); ; seed++ {
		order := slices.Clone(endpoints)
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		if order[0].Address == address {
			return rand.New(rand.NewPCG(seed, 0))
		}
	}
}

// block5 is the chain's block 5 as whoever serves it has it.
func block5(t *testing.T, ledger *orderer.Memory) *common.Block {
	t.Helper()
	b, err := ledger.Block(5)
	require.NoError(t, err)
	return proto.CloneOf(b)
}

// The lines of the bad input, each by the endpoint that is asked first, from block 5 on: every block arrives all the same, from the
// other endpoint, the first one is left, and one line says so. What can be judged is judged at once; what is merely missing, after the
// censorship timeout.
func TestBadOrdererIsLeft(t *testing.T) {
	silent := func(stream pb.AtomicBroadcast_DeliverServer) error {
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	// instead answers with one block, then with silence: whoever waits for more waits for ever.
	instead := func(change func(t *testing.T, ledger *orderer.Memory) *common.Block) badAnswer {
		return func(t *testing.T, ledger *orderer.Memory, stream pb.AtomicBroadcast_DeliverServer) error {
			if err := stream.Send(blockAnswer(change(t, ledger))); err != nil {
				return err
			}
			return silent(stream)
		}
	}
	for name, tc := range map[string]struct {
		answer badAnswer
		says   string // in the warning
		within time.Duration
	}{
		"garbage in a block": {instead(func(t *testing.T, ledger *orderer.Memory) *common.Block {
			b := block5(t, ledger)
			b.Data.Data[0] = []byte("garbage")
			return b
		}), "malformed transactions", time.Second},
		"garbage in a message": {func(_ *testing.T, _ *orderer.Memory, stream pb.AtomicBroadcast_DeliverServer) error {
			if err := stream.(grpc.ServerStream).SendMsg(&common.Envelope{Signature: []byte{0xff, 0xff, 0xff}}); err != nil {
				return err
			}
			return silent(stream)
		}, "read block 5", time.Second},
		"another channel's block": {func(t *testing.T, _ *orderer.Memory, stream pb.AtomicBroadcast_DeliverServer) error {
			other := orderertest.New(t)
			chain := orderertest.NewChain(t, other)
			stop := chain.Serve(t)
			defer stop()
			chain.Fill(t, 6)
			if err := stream.Send(blockAnswer(chain.Block(t, 5))); err != nil {
				return err
			}
			return silent(stream)
		}, "previous hash does not match", time.Second},
		"an old block": {instead(func(t *testing.T, ledger *orderer.Memory) *common.Block {
			b, err := ledger.Block(3)
			require.NoError(t, err)
			return b
		}), "got block 3 in place of 5", time.Second},
		"a fork": {instead(func(t *testing.T, ledger *orderer.Memory) *common.Block {
			b := block5(t, ledger)
			b.Header.PreviousHash = bytes.Repeat([]byte{7}, 32)
			return b
		}), "previous hash does not match", time.Second},
		"nobody's signature": {instead(func(t *testing.T, ledger *orderer.Memory) *common.Block {
			b := block5(t, ledger)
			b.Metadata.Metadata[0] = nil
			return b
		}), "orderer signatures do not suffice", time.Second},
		"nothing at all": {func(_ *testing.T, _ *orderer.Memory, stream pb.AtomicBroadcast_DeliverServer) error {
			return silent(stream)
		}, "withholds blocks", leader.DefaultCensorship + time.Second},
		"some, then nothing": {func(t *testing.T, ledger *orderer.Memory, stream pb.AtomicBroadcast_DeliverServer) error {
			if err := stream.Send(blockAnswer(block5(t, ledger))); err != nil {
				return err
			}
			return silent(stream)
		}, "withholds blocks", leader.DefaultCensorship + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, ledger := orderertest.New(t), orderer.NewMemory()
				serveFake(t, n, n.Listen(n.Addresses[0]), func(stream pb.AtomicBroadcast_DeliverServer, _ *common.Envelope) error {
					return tc.answer(t, ledger, stream)
				})
				requireLeft(t, n, ledger, tc.says, tc.within)
			})
		})
	}
}

type badAnswer func(*testing.T, *orderer.Memory, pb.AtomicBroadcast_DeliverServer) error

// requireLeft requires that a leader which asks the first endpoint gets blocks 5 to 8 from the second one within a time, and says what was wrong
// with the first one in one line.
func requireLeft(t *testing.T, n *orderertest.Network, ledger *orderer.Memory, says string, within time.Duration) {
	t.Helper()
	orderers := n.Config()
	orderers.Ledger = ledger
	o, err := orderer.New(orderers)
	require.NoError(t, err)
	t.Cleanup(n.Serve(t, o, n.Addresses[1]))
	n.Fill(t, o, 9)

	cfg, log := config(t, n), &warnings{}
	cfg.Rand = first(cfg.Endpoints(), n.Addresses[0])
	r := &judging{verifier: channelconfig.NewVerifier(n.Bundle(t), n.Genesis.GetHeader())}
	for number := range uint64(5) {
		b, err := ledger.Block(number)
		require.NoError(t, err)
		require.NoError(t, r.submit(t.Context(), b))
	}
	p, err := leader.New(leader.Config{
		Channel: n.Channel, Source: newClient(t, cfg), Height: r.Height, Submit: r.submit, Known: func() uint64 { return 9 },
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	time.Sleep(within)
	require.Equal(t, []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8}, r.numbers())
	require.Equal(t, n.Addresses[1], p.Status().Endpoint)
	time.Sleep(time.Hour)
	lines := log.lines()
	require.Len(t, lines, 1)
	require.Contains(t, lines[0], n.Addresses[0])
	require.Contains(t, lines[0], says)
	cancel()
	require.NoError(t, <-done)
}

// half is a connection that carries so many bytes to the client, and then nothing, or its end.
type half struct {
	net.Conn
	mu     sync.Mutex // guards left
	left   int
	hangUp bool
}

func (h *half) Write(p []byte) (int, error) {
	h.mu.Lock()
	n := min(len(p), h.left)
	h.left -= n
	h.mu.Unlock()
	if _, err := h.Conn.Write(p[:n]); err != nil {
		return 0, err
	}
	if n < len(p) && h.hangUp {
		return n, h.Close()
	}
	return len(p), nil
}

// halves cuts what a listener's connections carry.
type halves struct {
	net.Listener
	bytes  int
	hangUp bool
}

func (h halves) Accept() (net.Conn, error) {
	conn, err := h.Listener.Accept()
	return &half{Conn: conn, left: h.bytes, hangUp: h.hangUp}, err
}

// Half a message: the orderer stops in the middle of a block of 1 MiB, and hangs up or says nothing more; the network may do the same.
func TestHalfAMessage(t *testing.T) {
	for name, tc := range map[string]struct {
		hangUp bool
		says   string
		within time.Duration
	}{
		"then it hangs up":  {true, "read block 5", 2 * time.Second},
		"then it is silent": {false, "withholds blocks", leader.DefaultCensorship + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, ledger := orderertest.New(t), orderer.NewMemory()
				l := halves{n.Listen(n.Addresses[0]), 64 << 10, tc.hangUp}
				serveFake(t, n, l, func(stream pb.AtomicBroadcast_DeliverServer, _ *common.Envelope) error {
					return stream.Send(blockAnswer(blockOf(5, 1<<20)))
				})
				requireLeft(t, n, ledger, tc.says, tc.within)
			})
		})
	}
}

// An endpoint that lies for ever is asked once an hour in the end, as long as there is another; when all lie, none is left out for ever.
func TestLiarsAreAskedLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		cfg := config(t, n)
		var dialed []string
		cfg.Dial = nil
		cfg = withDialed(cfg, &dialed, func(context.Context, string) (net.Conn, error) { return nil, orderertest.ErrRefused })
		c := newClient(t, cfg)
		liar := n.Addresses[0]
		asked := 0
		for begin := time.Now(); time.Since(begin) < 6*time.Hour; time.Sleep(10 * time.Second) {
			dialed = nil
			err := c.Pull(t.Context(), 0, nil)
			if len(dialed) == 1 && dialed[0] == liar {
				asked++
				require.ErrorContains(t, c.Blame(fmt.Errorf("%w: %w", leader.ErrRefused, err)), liar)
			}
		}
		require.Greater(t, asked, 6)
		require.Less(t, asked, 13, "1, 2, 4, 8, 16, 32 and 60 minutes")
	})
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		var dialed []string
		cfg := withDialed(config(t, n), &dialed, func(context.Context, string) (net.Conn, error) { return nil, orderertest.ErrRefused })
		c := newClient(t, cfg)
		for range 10 {
			require.Error(t, c.Pull(t.Context(), 0, nil))
			require.Error(t, c.Blame(leader.ErrRefused))
			time.Sleep(time.Second)
		}
		require.Len(t, dialed, 10)
		require.Subset(t, dialed, n.Addresses)
	})
}

// A client certificate that has run out is not shown, so that an orderer without mutual TLS serves us, and is named when one refuses us.
func TestExpiredClientCertificate(t *testing.T) {
	for name, clientAuth := range map[string]bool{"mutual TLS": true, "server TLS only": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := orderertest.New(t)
				cert := orderertest.ClientTLS(t, n.Org1)
				cfg, r := config(t, n), &receiver{}
				cfg.ClientCert = cert
				orderers := n.Config()
				orderers.ClientAuth = clientAuth
				n.Orderer(t, orderers)
				c := newClient(t, cfg)
				stop := pull(t, c, 0, r.submit)
				synctest.Wait()
				require.EqualValues(t, 1, r.Height())
				require.NotErrorIs(t, stop(), deliver.ErrClientCert)

				cfg.ClientCert = expiresSoon(t, n)
				time.Sleep(time.Hour)
				r = &receiver{}
				stop = pull(t, newClient(t, cfg), 0, r.submit)
				synctest.Wait()
				require.Equal(t, !clientAuth, r.Height() == 1)
				err := stop()
				require.ErrorIs(t, err, deliver.ErrClientCert)
				require.ErrorContains(t, err, "renew it")
			})
		})
	}
}

// expiresSoon is a client certificate that ends within the hour.
func expiresSoon(t *testing.T, n *orderertest.Network) *tls.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(orderertest.ClientTLS(t, n.Org1).Certificate[0])
	require.NoError(t, err)
	lasts := time.Until(cert.NotAfter)
	certPEM, keyPEM, err := n.Org1.TLS("client", nil, time.Now().Add(-lasts+time.Minute))
	require.NoError(t, err)
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	require.NoError(t, err)
	return &pair
}
