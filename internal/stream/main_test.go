// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weft-p2p/weft/internal/simtest"
	"github.com/weft-p2p/weft/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// proto is a small protocol without a rate.
var proto = stream.Protocol{
	ID: "/weft/test/1.0.0", Service: "weft.test", Memory: 1 << 16, MaxMessage: 1000, Deadline: time.Second,
}

// bubble runs a test with a server host and two clients in virtual time.
func bubble(t *testing.T, test func(t *testing.T, n *network3)) {
	synctest.Test(t, func(t *testing.T) { test(t, newNetwork3(t)) })
}

type network3 struct {
	*simtest.Net
	server, client, other host.Host
}

// newNetwork3 makes the hosts; opts are the server's.
func newNetwork3(t *testing.T, opts ...libp2p.Option) *network3 {
	n := &network3{Net: simtest.New(t, simtest.Link{Latency: 5 * time.Millisecond})}
	for i, h := range []*host.Host{&n.server, &n.client, &n.other} {
		var err error
		*h, err = libp2p.New(append(n.Options(i), opts...)...)
		require.NoError(t, err)
		opts = nil
		t.Cleanup(func() { require.NoError(t, (*h).Close()) })
	}
	for _, h := range []host.Host{n.client, n.other} {
		require.NoError(t, h.Connect(t.Context(), peer.AddrInfo{ID: n.server.ID(), Addrs: n.server.Addrs()}))
	}
	synctest.Wait()
	return n
}

// serve runs a server; stop ends it and returns what Run did. It is stopped at the end of the test at the latest.
func serve(t *testing.T, s *stream.Server) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	synctest.Wait()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { require.NoError(t, stop()) })
	return stop
}

// echo answers every message with itself until the other end closes.
func echo(_ context.Context, s *stream.Stream) error {
	for {
		var m wrapperspb.BytesValue
		if err := s.Read(&m); err != nil {
			return nil
		}
		if err := s.Write(&m); err != nil {
			return err
		}
	}
}

// roundTrip opens a stream, sends one message and reads the answer.
func roundTrip(t *testing.T, h host.Host, n *network3, p stream.Protocol, size int) error {
	s, err := stream.Open(t.Context(), h, n.server.ID(), p)
	if err != nil {
		return err
	}
	defer s.Reset(network.StreamNoError)
	if err := s.Write(&wrapperspb.BytesValue{Value: make([]byte, size)}); err != nil {
		return err
	}
	return s.Read(&wrapperspb.BytesValue{})
}

// requireCode requires that an error is a reset with a code.
func requireCode(t *testing.T, code network.StreamErrorCode, err error) {
	t.Helper()
	var reset *network.StreamError
	require.ErrorAs(t, err, &reset)
	require.Equal(t, code, reset.ErrorCode)
	require.True(t, reset.Remote || code == network.StreamShutdown)
}

var errHandler = errors.New("handler")

// counter counts calls.
type counter struct{ atomic.Int64 }
