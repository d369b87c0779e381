// SPDX-License-Identifier: Apache-2.0

package traffic_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	pb "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/orderer"
	"github.com/weft-p2p/weft/internal/orderer/orderertest"
	"github.com/weft-p2p/weft/internal/orderer/traffic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// config wants blocks of 32 KiB, ten a second, on a channel with two transactions a block.
func config(n *orderertest.Network, o *orderer.Orderer, blocks uint64) traffic.Config {
	return traffic.Config{
		Orderer: o, Client: n.Client, Blocks: blocks, Rate: 10, BlockSize: 32 << 10, Random: rand.NewChaCha8([32]byte{}),
	}
}

// follow opens a Deliver stream until the test ends.
func follow(t *testing.T, n *orderertest.Network) {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(n.Ordering.TLSRoot()))
	conn, err := grpc.NewClient("passthrough:///"+n.Addresses[0], grpc.WithContextDialer(n.Dial), grpc.WithNoProxy(),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots})))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	_, err = pb.NewAtomicBroadcastClient(conn).Deliver(ctx)
	require.NoError(t, err)
}

func TestBlocksComeAtTheRateOnceSomebodyFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		cfg := n.Config()
		l := orderer.NewMemory()
		cfg.Ledger = l
		o := n.Orderer(t, cfg)
		done := make(chan error, 1)
		go func() { done <- traffic.Run(t.Context(), config(n, o, 5)) }()
		time.Sleep(time.Hour)
		require.Equal(t, uint64(1), o.Height(), "nobody follows")

		follow(t, n)
		time.Sleep(250 * time.Millisecond)
		require.Equal(t, uint64(4), o.Height(), "at 0, 100 and 200 ms")
		require.NoError(t, <-done)
		require.Equal(t, uint64(6), o.Height())
		for number := uint64(1); number < 6; number++ {
			b, err := l.Block(number)
			require.NoError(t, err)
			require.Len(t, b.GetData().GetData(), 2)
			require.InEpsilon(t, 32<<10, proto.Size(b), 0.1)
		}
	})
}

func TestAReopenedChainIsFilledUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		follow(t, n)
		n.Fill(t, o, 4)
		require.NoError(t, traffic.Run(t.Context(), config(n, o, 5)))
		require.Equal(t, uint64(6), o.Height(), "two more")
		require.NoError(t, traffic.Run(t.Context(), config(n, o, 5)))
		require.Equal(t, uint64(6), o.Height(), "none")
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		for _, followed := range []bool{false, true} {
			if followed {
				follow(t, n)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			require.NoError(t, traffic.Run(ctx, config(n, o, math.MaxUint64)))
			require.Equal(t, time.Second, time.Since(began))
		}
	})
}

func TestRunEndsWithTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o, err := orderer.New(n.Config())
		require.NoError(t, err)
		stop := n.Serve(t, o, n.Addresses...)
		follow(t, n)
		done := make(chan error, 1)
		go func() { done <- traffic.Run(t.Context(), config(n, o, math.MaxUint64)) }()
		time.Sleep(time.Second)
		stop()
		require.NoError(t, <-done)
	})
}

func TestRunRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := orderertest.New(t)
		o := n.Orderer(t, n.Config())
		follow(t, n)
		for name, change := range map[string]func(*traffic.Config){
			"no rate":      func(c *traffic.Config) { c.Rate = 0 },
			"not a rate":   func(c *traffic.Config) { c.Rate = math.NaN() },
			"great rate":   func(c *traffic.Config) { c.Rate = traffic.MaxRate + 1 },
			"small blocks": func(c *traffic.Config) { c.BlockSize = traffic.MinBlockSize - 1 },
			"great blocks": func(c *traffic.Config) { c.BlockSize = 2<<20 + 1 },
			"foreign client": func(c *traffic.Config) {
				c.Client = orderertest.Enroll(t, orderertest.Org(t, "Org9"), "user", "client")
			},
		} {
			c := config(n, o, 5)
			change(&c)
			err := traffic.Run(t.Context(), c)
			if name == "foreign client" {
				require.ErrorContains(t, err, "order a random transaction", name)
			} else {
				require.ErrorIs(t, err, traffic.ErrConfig, name)
			}
		}
		require.Equal(t, uint64(1), o.Height())
	})
}
