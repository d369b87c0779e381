// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/weft-p2p/weft/internal/spectest"
	"github.com/weft-p2p/weft/leader/deliver/server"
)

// limited is a server whose limits and metrics a test knows.
func limited(t *testing.T, c *chain, limits server.Limits) (served, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	cfg := c.config()
	cfg.Limits = limits
	var err error
	cfg.Metrics, err = server.NewMetrics(registry)
	require.NoError(t, err)
	return serve(t, c, cfg), registry
}

// met says how many clients met a limit.
func met(t *testing.T, r *prometheus.Registry, limit string, times int) {
	t.Helper()
	require.NoError(t, testutil.GatherAndCompare(r, strings.NewReader(`
# HELP weft_deliver_limited_total Clients of Deliver and Broadcast that met a limit.
# TYPE weft_deliver_limited_total counter
weft_deliver_limited_total{limit="`+limit+`"} `+strconv.Itoa(times)+"\n"), "weft_deliver_limited_total"))
}

// A client that opens a stream and never reads costs little memory, and is disconnected in time.
func TestClientThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		big := encode(c.net.Transaction(t, 256<<10))
		require.NoError(t, c.source.Order(t.Context(), c.net.Transaction(t, 256<<10)))
		_, err := c.source.Cut(t.Context())
		require.NoError(t, err)
		c.fill(t, 40)
		whole, err := c.made.Block(2)
		require.NoError(t, err)
		c.replace(func(number uint64) ([]byte, error) { // every block is big
			b := &common.Block{Header: &common.BlockHeader{Number: number}, Data: whole.Data, Metadata: whole.Metadata}
			return encode(b), nil
		})
		require.Greater(t, len(big), 256<<10)
		s, registry := limited(t, c, server.Limits{})
		stream := s.deliver(t)
		reading := s.deliver(t)
		require.NoError(t, stream.Send(c.request(forever(0))))
		synctest.Wait()
		require.LessOrEqual(t, c.read()*len(big), 2<<20, "bytes of blocks in memory")
		began := time.Now()
		require.NoError(t, reading.Send(c.request(seek(oldest(), newest()))))
		blocks, got, err := receive(reading)
		require.NoError(t, err)
		require.Equal(t, success, got)
		require.Len(t, blocks, 40, "it holds up nobody else")
		require.Equal(t, began, time.Now())

		time.Sleep(65 * time.Second)
		synctest.Wait()
		met(t, registry, "slow", 1)
		require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP weft_deliver_streams Streams of Deliver and Broadcast clients that are open.
# TYPE weft_deliver_streams gauge
weft_deliver_streams 1
`), "weft_deliver_streams"), "the other one")
		blocks, _, err = receive(stream)
		require.Less(t, len(blocks), 4, "what was on its way")
		require.Equal(t, codes.DeadlineExceeded, status.Code(err))
		require.ErrorContains(t, err, "has not read a block in time")
	})
}

// Streams on which nobody asks end, at first soon, later after a while.
func TestClientThatNeverAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		s, registry := limited(t, c, server.Limits{})
		began := time.Now()
		_, _, err := receive(s.deliver(t))
		require.Equal(t, codes.DeadlineExceeded, status.Code(err))
		require.Equal(t, 10*time.Second, time.Since(began))
		broadcast, err := s.connect(t, nil).Broadcast(t.Context())
		require.NoError(t, err)
		_, err = broadcast.Recv()
		require.Equal(t, codes.DeadlineExceeded, status.Code(err))

		stream := s.deliver(t)
		require.NoError(t, stream.Send(c.request(seek(newest(), newest()))))
		_, got, err := receive(stream)
		require.NoError(t, err)
		require.Equal(t, success, got)
		began = time.Now()
		_, _, err = receive(stream)
		require.Equal(t, codes.DeadlineExceeded, status.Code(err))
		require.Equal(t, 10*time.Minute, time.Since(began))
		met(t, registry, "silent", 3)
	})
}

func TestStreamLimits(t *testing.T) {
	for name, tc := range map[string]struct {
		limits server.Limits
		limit  string
	}{
		"in all":      {server.Limits{Streams: 3}, "streams"},
		"of address":  {server.Limits{AddressStreams: 3}, "streams"},
		"of identity": {server.Limits{IdentityStreams: 3}, "identity"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newChain(t, 2)
				s, registry := limited(t, c, tc.limits)
				client := s.connect(t, nil)
				open := func() (orderer.AtomicBroadcast_DeliverClient, context.CancelFunc) {
					ctx, cancel := context.WithCancel(t.Context())
					stream, err := client.Deliver(ctx)
					require.NoError(t, err)
					_ = stream.Send(c.request(forever(0)))
					synctest.Wait()
					return stream, cancel
				}
				var cancel context.CancelFunc
				for range 3 {
					_, cancel = open()
				}
				refused, _ := open()
				_, _, err := receive(refused)
				require.Equal(t, codes.ResourceExhausted, status.Code(err))
				met(t, registry, tc.limit, 1)
				cancel()
				synctest.Wait()
				again, _ := open()
				_, err = again.Recv()
				require.NoError(t, err, "a place is free again")
			})
		})
	}
}

// An identity that is not proven takes no places of whose it claims to be.
func TestForgedRequestsTakeNoPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		s, _ := limited(t, c, server.Limits{IdentityStreams: 1})
		for range 3 {
			stream := s.deliver(t)
			forged := c.request(forever(0))
			forged.Signature[len(forged.Signature)-1] ^= 1
			require.NoError(t, stream.Send(forged))
			_, got, err := receive(stream)
			require.NoError(t, err)
			require.Equal(t, common.Status_FORBIDDEN, got)
		}
		stream := s.deliver(t)
		require.NoError(t, stream.Send(c.request(seek(newest(), newest()))))
		_, got, err := receive(stream)
		require.NoError(t, err)
		require.Equal(t, success, got)
	})
}

func TestConnectionLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		s, registry := limited(t, c, server.Limits{AddressConnections: 2})
		fetch := func(client clients) error {
			stream, err := client.Deliver(t.Context())
			if err != nil {
				return err
			}
			_ = stream.Send(c.request(seek(newest(), newest())))
			_, _, err = receive(stream)
			return err
		}
		first, second := s.connect(t, nil), s.connect(t, nil)
		require.NoError(t, fetch(first))
		require.NoError(t, fetch(second))
		require.Equal(t, codes.Unavailable, status.Code(fetch(s.connect(t, nil))))
		met(t, registry, "connections", 1)
		require.NoError(t, first.conn.Close())
		synctest.Wait()
		require.NoError(t, fetch(s.connect(t, nil)))
	})
}

func TestMessageLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		s, _ := limited(t, c, server.Limits{Message: 1 << 20})
		stream := s.deliver(t)
		require.NoError(t, stream.Send(c.request(seek(newest(), newest()), padded(64<<10))))
		_, got, err := receive(stream)
		require.NoError(t, err)
		require.Equal(t, common.Status_BAD_REQUEST, got)

		stream = s.deliver(t)
		require.NoError(t, stream.Send(c.request(seek(newest(), newest()), padded(1<<20))))
		_, _, err = receive(stream)
		require.Equal(t, codes.ResourceExhausted, status.Code(err))
	})
}

// Who asks too often waits: nothing is refused.
func TestRequestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 2)
		s, _ := limited(t, c, server.Limits{RequestRate: 10})
		stream := s.deliver(t)
		began := time.Now()
		for range 50 {
			require.NoError(t, stream.Send(c.request(seek(newest(), newest()))))
			_, got, err := receive(stream)
			require.NoError(t, err)
			require.Equal(t, success, got)
		}
		require.InDelta(t, 3, time.Since(began).Seconds(), 0.2, "20 at once, then 10 a second")
	})
}

// A stock peer pings every 60 s, the gateway in it every 10 s, also without a stream.
func TestPingsOfStockPeersAreTolerated(t *testing.T) {
	for _, every := range []time.Duration{10 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			c := newChain(t, 2)
			client := serve(t, c, c.config()).connect(t, nil, grpc.WithKeepaliveParams(keepalive.ClientParameters{
				Time: every, Timeout: 20 * time.Second, PermitWithoutStream: true,
			}))
			stream, err := client.Deliver(t.Context())
			require.NoError(t, err)
			require.NoError(t, stream.Send(c.request(seek(oldest(), at(2)))))
			time.Sleep(time.Hour)
			c.fill(t, 3)
			blocks, got, err := receive(stream)
			require.NoError(t, err)
			require.Equal(t, success, got)
			require.Len(t, blocks, 3)
			require.NoError(t, stream.CloseSend())
			_, err = stream.Recv()
			require.ErrorIs(t, err, io.EOF)
			time.Sleep(9 * time.Minute)
			stream, err = client.Deliver(t.Context())
			require.NoError(t, err)
			require.NoError(t, stream.Send(c.request(seek(newest(), newest()))))
			_, got, err = receive(stream)
			require.NoError(t, err, "the connection without a stream was left alone")
			require.Equal(t, success, got)
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChain(t, 1)
		for name, change := range map[string]func(*server.Config){
			"no chain":           func(cfg *server.Config) { cfg.Chain = nil },
			"no certificate":     func(cfg *server.Config) { cfg.Certificate.Certificate = nil },
			"negative window":    func(cfg *server.Config) { cfg.TimeWindow = -1 },
			"negative limit":     func(cfg *server.Config) { cfg.Limits.Streams = -1 },
			"negative time":      func(cfg *server.Config) { cfg.Limits.SendTimeout = -1 },
			"nobody to be asked": func(cfg *server.Config) { cfg.RequireClientCert = true },
		} {
			cfg := c.config()
			change(&cfg)
			_, err := server.New(cfg)
			require.Error(t, err, name)
		}
	})
}

func TestLimitsAreDocumented(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := server.DefaultLimits()
		itoa := strconv.Itoa
		require.Equal(t, map[string]string{
			"connections":                      itoa(l.Connections),
			"connections of one IP address":    itoa(l.AddressConnections),
			"streams":                          itoa(l.Streams),
			"streams of one IP address":        itoa(l.AddressStreams),
			"streams of one connection":        "64",
			"requests of one certificate":      itoa(l.IdentityStreams),
			"requests of one IP address":       itoa(l.RequestRate) + " a second",
			"bytes of a request":               itoa(l.Request),
			"bytes of a message":               itoa(l.Message),
			"time for the first request":       l.RequestTimeout.String(),
			"time for a later request":         l.IdleTimeout.String(),
			"time for reading a block":         l.SendTimeout.String(),
			"envelopes of all clients":         "2000 a second",
			"envelopes of one certificate":     "500 a second",
			"time for the orderer's answer":    "15s",
			"time that a known block may lack": server.Patience.String(),
		}, spectest.Values(t, "deliver.md", "Limits of the server"))
	})
}
