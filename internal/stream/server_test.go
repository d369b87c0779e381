// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weft-p2p/weft/internal/stream"
)

func TestUnauthorizedPeerIsGated(t *testing.T) {
	bubble(t, func(t *testing.T, n *network3) {
		var handled counter
		serve(t, &stream.Server{
			Host: n.server, Protocol: proto, Authorize: func(id peer.ID) bool { return id == n.client.ID() },
			Handle: func(ctx context.Context, s *stream.Stream) error {
				handled.Add(1)
				return echo(ctx, s)
			},
		})
		requireCode(t, network.StreamGated, roundTrip(t, n.other, n, proto, 1))
		require.Zero(t, handled.Load())
		require.NoError(t, roundTrip(t, n.client, n, proto, 1))
		require.EqualValues(t, 1, handled.Load())
	})
}

func TestRateIsPerPeer(t *testing.T) {
	bubble(t, func(t *testing.T, n *network3) {
		p := proto
		p.Rate, p.Burst = 2, 3
		serve(t, &stream.Server{Host: n.server, Protocol: p, Handle: echo})
		for range p.Burst {
			require.NoError(t, roundTrip(t, n.client, n, p, 1))
		}
		requireCode(t, network.StreamRateLimited, roundTrip(t, n.client, n, p, 1))
		require.NoError(t, roundTrip(t, n.other, n, p, 1), "another peer has a rate of its own")
		time.Sleep(500 * time.Millisecond)
		require.NoError(t, roundTrip(t, n.client, n, p, 1), "2 streams a second")
		requireCode(t, network.StreamRateLimited, roundTrip(t, n.client, n, p, 1))
	})
}

func TestHandlerErrorIsAProtocolViolation(t *testing.T) {
	bubble(t, func(t *testing.T, n *network3) {
		serve(t, &stream.Server{Host: n.server, Protocol: proto, Handle: func(context.Context, *stream.Stream) error { return errHandler }})
		requireCode(t, network.StreamProtocolViolation, roundTrip(t, n.client, n, proto, 1))
	})
}

func TestStreamCaps(t *testing.T) {
	for name, p := range map[string]stream.Protocol{
		"per peer": {PeerStreams: 2},
		"in all":   {Streams: 3}, // one stays for somebody else
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *network3) {
				capped := proto
				capped.Streams, capped.PeerStreams = p.Streams, p.PeerStreams
				serve(t, &stream.Server{Host: n.server, Protocol: capped, Handle: echo})
				var open []*stream.Stream
				for range 2 {
					s, err := stream.Open(t.Context(), n.client, n.server.ID(), capped)
					require.NoError(t, err)
					require.NoError(t, s.Write(&wrapperspb.BytesValue{}))
					require.NoError(t, s.Read(&wrapperspb.BytesValue{}))
					open = append(open, s)
				}
				requireCode(t, network.StreamResourceLimitExceeded, roundTrip(t, n.client, n, capped, 1))
				if other := roundTrip(t, n.other, n, capped, 1); p.Streams > 0 {
					requireCode(t, network.StreamResourceLimitExceeded, other) // another stranger
				} else {
					require.NoError(t, other)
				}
				require.NoError(t, open[0].Close())
				time.Sleep(100 * time.Millisecond)
				require.NoError(t, roundTrip(t, n.client, n, capped, 1), "a place is free again")
				require.NoError(t, open[1].Close())
			})
		})
	}
}

func TestRunWaitsForHandlersAndLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, n *network3) {
		var running counter
		stop := serve(t, &stream.Server{Host: n.server, Protocol: proto, Handle: func(ctx context.Context, s *stream.Stream) error {
			running.Add(1)
			defer running.Add(-1)
			err := s.Read(&wrapperspb.BytesValue{}) // ends with ctx, long before the deadline
			time.Sleep(200 * time.Millisecond)
			return err
		}})
		s, err := stream.Open(t.Context(), n.client, n.server.ID(), proto)
		require.NoError(t, err)
		require.NoError(t, s.Write(&wrapperspb.BytesValue{}))
		s2 := raw(t, n)
		time.Sleep(100 * time.Millisecond)
		require.EqualValues(t, 2, running.Load())

		start := time.Now()
		require.NoError(t, stop())
		require.Zero(t, running.Load())
		require.Less(t, time.Since(start), proto.Deadline)
		require.False(t, slices.Contains(n.server.Mux().Protocols(), proto.ID))
		_, err = s2.Read(make([]byte, 1))
		require.Error(t, err)
		s.Reset(network.StreamNoError)

		serve(t, &stream.Server{Host: n.server, Protocol: proto, Handle: echo})
		require.NoError(t, roundTrip(t, n.client, n, proto, 1), "it can be served again")
	})
}

func TestSecondRunIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, n *network3) {
		serve(t, &stream.Server{Host: n.server, Protocol: proto, Handle: echo})
		second := stream.Server{Host: n.server, Protocol: proto, Handle: echo}
		require.ErrorIs(t, second.Run(t.Context()), stream.ErrRegistered)
		require.NoError(t, roundTrip(t, n.client, n, proto, 1), "the first goes on")
	})
}

// TestMemoryIsReservedAndReleased uses libp2p's resource manager with room for two streams.
func TestMemoryIsReservedAndReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager := twoStreams(t)
		n := newNetwork3(t, func(c *libp2p.Config) error {
			c.ResourceManager = manager // in place of the simulated network's
			return nil
		})
		serve(t, &stream.Server{Host: n.server, Protocol: proto, Handle: func(ctx context.Context, s *stream.Stream) error {
			_, err := s.Reserve(proto.Memory + extra + 1)
			require.ErrorIs(t, err, network.ErrResourceLimitExceeded)
			release, err := s.Reserve(extra / 8)
			require.NoError(t, err)
			defer s.Reset(network.StreamNoError) // and the server ends it once more
			defer release()
			return echo(ctx, s)
		}})
		open := func() *stream.Stream {
			s, err := stream.Open(t.Context(), n.client, n.server.ID(), proto)
			require.NoError(t, err)
			require.NoError(t, s.Write(&wrapperspb.BytesValue{}))
			require.NoError(t, s.Read(&wrapperspb.BytesValue{}))
			return s
		}
		a, b := open(), open()
		require.Equal(t, 2*proto.Memory+extra/4, used(t, manager))
		requireCode(t, network.StreamResourceLimitExceeded, roundTrip(t, n.other, n, proto, 1))

		require.NoError(t, a.Close())
		a.Reset(network.StreamNoError)
		time.Sleep(time.Second)
		require.NoError(t, roundTrip(t, n.other, n, proto, 1))
		b.Reset(network.StreamNoError)
		time.Sleep(time.Second)
		require.Zero(t, used(t, manager))
	})
}

// extra is memory beside what is reserved for two streams. Reserve leaves a fifth of the whole for new streams.
const extra = 1 << 16

func twoStreams(t *testing.T) network.ResourceManager {
	service := rcmgr.ResourceLimits{
		Streams: rcmgr.Unlimited, StreamsInbound: rcmgr.Unlimited, StreamsOutbound: rcmgr.Unlimited,
		Memory: rcmgr.LimitVal64(2*proto.Memory + extra),
	}
	limits := rcmgr.PartialLimitConfig{Service: map[string]rcmgr.ResourceLimits{proto.Service: service}}
	m, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.Build(rcmgr.InfiniteLimits)), rcmgr.WithMetricsDisabled())
	require.NoError(t, err)
	return m
}

func used(t *testing.T, m network.ResourceManager) (bytes int) {
	require.NoError(t, m.ViewService(proto.Service, func(s network.ServiceScope) error {
		bytes = int(s.Stat().Memory)
		return nil
	}))
	return bytes
}
