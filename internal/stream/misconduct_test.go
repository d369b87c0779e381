// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/internal/stream"
)

// ward is a server with accounts: the client is a member of an organization, the other host of another.
type ward struct {
	*network3
	*stream.Accounts
	registry *prometheus.Registry
	barred   counter
	manager  network.ResourceManager
}

// guarded runs a test with a server of p in virtual time; handle is how it answers.
func guarded(t *testing.T, p stream.Protocol, handle func(context.Context, *stream.Stream) error, test func(t *testing.T, w *ward)) {
	synctest.Test(t, func(t *testing.T) {
		m, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(rcmgr.InfiniteLimits), rcmgr.WithMetricsDisabled())
		require.NoError(t, err)
		w := &ward{registry: prometheus.NewRegistry(), manager: m}
		w.network3 = newNetwork3(t, func(c *libp2p.Config) error {
			c.ResourceManager = m
			return nil
		})
		orgs := map[peer.ID]fair.Owner{w.client.ID(): {Org: "A", Identity: "a"}, w.other.ID(): {Org: "B", Identity: "b"}}
		w.Accounts, err = stream.NewAccounts(stream.AccountsConfig{
			Owner:      func(id peer.ID) (fair.Owner, bool) { o, ok := orgs[id]; return o, ok },
			Barred:     func(id peer.ID) { w.barred.Add(1); _ = w.server.Network().ClosePeer(id) },
			Registerer: w.registry,
		})
		require.NoError(t, err)
		serve(t, &stream.Server{Host: w.server, Protocol: p, Accounts: w.Accounts, Handle: handle})
		test(t, w)
	})
}

// open opens a stream of the client's, connecting first if need be; nil if it is refused.
func (w *ward) open(t *testing.T) network.Stream {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := w.client.Connect(ctx, peer.AddrInfo{ID: w.server.ID(), Addrs: w.server.Addrs()}); err != nil {
		return nil
	}
	s, err := w.client.NewStream(ctx, w.server.ID(), proto.ID)
	if err != nil {
		return nil
	}
	return s
}

func (w *ward) memory(t *testing.T) (bytes int) {
	require.NoError(t, w.manager.ViewService(proto.Service, func(s network.ServiceScope) error {
		bytes = int(s.Stat().Memory)
		return nil
	}))
	return bytes
}

func frame(data []byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(data))), data...) }

// TestMisconductIsBarred: whoever goes on breaking the protocol, whatever in it, costs bounded memory, loses its connection
// and is refused for a while; everybody else is served all the time, and so is he afterwards.
func TestMisconductIsBarred(t *testing.T) {
	p := proto
	p.Rate, p.Burst, p.Streams, p.PeerStreams = 20, 40, 16, 4
	half := frame(make([]byte, 100))[:50]
	for _, c := range []struct {
		reason stream.Reason
		within time.Duration
		every  time.Duration // between two streams
		write  func(s network.Stream)
	}{
		{stream.Oversize, time.Minute, time.Second, func(s network.Stream) { _, _ = s.Write(binary.AppendUvarint(nil, 1<<30)) }},
		{stream.Oversize, time.Minute, time.Second, func(s network.Stream) { _, _ = s.Write(bytes.Repeat([]byte{0xff}, 20)) }},
		{stream.Nonsense, time.Minute, time.Second, func(s network.Stream) { _, _ = s.Write(frame([]byte("\xff\xff\xff"))) }},
		{stream.Violation, time.Minute, time.Second, func(s network.Stream) { _, _ = s.Write(frame([]byte{10, 1, 'x'})) }},
		{stream.Slow, 20 * time.Minute, 100 * time.Millisecond, func(s network.Stream) { _, _ = s.Write(half) }},
		{stream.Slow, 20 * time.Minute, 100 * time.Millisecond, func(s network.Stream) { go trickle(s) }},
		{stream.Flood, 2 * time.Minute, 5 * time.Millisecond, func(s network.Stream) { _, _ = s.Write(frame(nil)); _ = s.CloseWrite() }},
	} {
		t.Run(string(c.reason), func(t *testing.T) {
			guarded(t, p, pickyEcho, func(t *testing.T, w *ward) {
				start := time.Now()
				most := 0
				for !w.Barred(w.client.ID()) {
					require.Less(t, time.Since(start), c.within)
					s := w.open(t)
					if s == nil {
						continue
					}
					c.write(s)
					time.Sleep(c.every)
					most = max(most, w.memory(t))
				}
				require.LessOrEqual(t, most, p.PeerStreams*p.Memory, "memory at one time")
				require.NoError(t, roundTrip(t, w.other, w.network3, p, 1), "others are served")
				time.Sleep(time.Second)
				require.Zero(t, w.memory(t))
				require.Empty(t, w.server.Network().ConnsToPeer(w.client.ID()), "connection closed")
				require.Positive(t, faults(t, w, c.reason))

				before := w.barred.Load()
				if s := w.open(t); s != nil { // it may come back, and gets nothing
					_, _ = s.Write(frame(nil))
					_, err := s.Read(make([]byte, 1))
					require.Error(t, err)
					require.NotErrorIs(t, err, io.EOF)
				}
				time.Sleep(time.Second)
				require.Greater(t, w.barred.Load(), before)
				require.Empty(t, w.server.Network().ConnsToPeer(w.client.ID()))

				time.Sleep(stream.FaultPause)
				require.False(t, w.Barred(w.client.ID()))
				require.NotNil(t, w.open(t))
				require.NoError(t, roundTrip(t, w.client, w.network3, p, 1), "and is served again")
			})
		})
	}
}

// trickle writes a byte a second, until the stream ends.
func trickle(s network.Stream) {
	for _, b := range frame(make([]byte, 900)) {
		if _, err := s.Write([]byte{b}); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// pickyEcho answers as echo does; an x is an offence.
func pickyEcho(_ context.Context, s *stream.Stream) error {
	var m wrapperspb.BytesValue
	if err := s.Read(&m); err != nil {
		return err
	}
	if string(m.Value) == "x" {
		return fmt.Errorf("x: %w", stream.ErrViolation)
	}
	return s.Write(&m)
}

func faults(t *testing.T, w *ward, r stream.Reason) float64 {
	families, err := w.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "weft_peer_faults_total" && m.GetLabel()[0].GetValue() == string(r) {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// TestReadingNothing: who asks and does not read the answer is slow too.
func TestReadingNothing(t *testing.T) {
	endless := func(_ context.Context, s *stream.Stream) error {
		if err := s.Read(&wrapperspb.BytesValue{}); err != nil {
			return err
		}
		for {
			if err := s.Write(&wrapperspb.BytesValue{Value: make([]byte, 900)}); err != nil {
				return err
			}
		}
	}
	p := proto
	p.PeerStreams = 2
	guarded(t, p, endless, func(t *testing.T, w *ward) {
		for range 10 {
			if s := w.open(t); s != nil {
				_, _ = s.Write(frame(nil))
			}
			time.Sleep(2 * time.Second)
			require.LessOrEqual(t, w.memory(t), p.PeerStreams*p.Memory)
		}
		require.Positive(t, faults(t, w, stream.Slow))
		require.NoError(t, roundTrip(t, w.other, w.network3, p, 1))
	})
}

// TestHonestMistakesDoNotBar: networks that fail, other versions, refusals.
func TestHonestMistakesDoNotBar(t *testing.T) {
	p := proto
	p.Streams, p.PeerStreams = 64, 32
	failing := func(_ context.Context, s *stream.Stream) error {
		var m wrapperspb.BytesValue
		if err := s.Read(&m); err != nil {
			return err
		}
		return errHandler
	}
	guarded(t, p, failing, func(t *testing.T, w *ward) {
		for range 2 * stream.FaultLimit { // what the handler does not like is not the peer's fault
			require.Error(t, roundTrip(t, w.client, w.network3, p, 1))
		}
		for range 2 * stream.FaultLimit { // streams that break
			s := w.open(t)
			_, _ = s.Write(frame(make([]byte, 100))[:50])
			_ = s.Reset()
		}
		for range 2 * stream.FaultLimit { // a field that this version does not know
			s := w.open(t)
			_, _ = s.Write(frame([]byte{0x7a, 1, 'x'}))
			_ = s.Close()
		}
		for range 2 * stream.FaultLimit { // a version of the protocol that we do not speak
			_, err := w.client.NewStream(t.Context(), w.server.ID(), "/weft/test/2.0.0")
			require.Error(t, err)
		}
		for range p.PeerStreams { // a machine that dies in the middle of everything
			_, _ = w.open(t).Write([]byte{10})
		}
		w.Cut(1)
		time.Sleep(time.Minute)
		w.Mend(1)
		require.False(t, w.Barred(w.client.ID()))
		require.LessOrEqual(t, faults(t, w, stream.Slow), 2.0)
		require.Zero(t, w.barred.Load())
	})
}

// TestHostKeysShareOneAccount: host keys of one identity, and identities of one organization, against one other peer.
func TestHostKeysShareOneAccount(t *testing.T) {
	rates := stream.NewRates(1, 10, 4, 40)
	allowed := func(o fair.Owner) (n int) {
		for range 100 {
			if ok, _ := rates.Allow(o); ok {
				n++
			}
		}
		return n
	}
	require.Equal(t, 10, allowed(fair.Owner{Org: "A", Identity: "0"}), "any number of host keys")
	for i := 1; i < 4; i++ {
		require.Equal(t, 10, allowed(fair.Owner{Org: "A", Identity: fmt.Sprint(i)}))
	}
	require.Zero(t, allowed(fair.Owner{Org: "A", Identity: "4"}), "the organization has had its share")
	require.Equal(t, 10, allowed(fair.Owner{Org: "B", Identity: "0"}))
	require.Equal(t, 10, allowed(fair.Owner{Identity: "stranger"}))
}

// TestStrangersForgetNoMember: any number of strangers with faults of their own.
func TestStrangersForgetNoMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, err := stream.NewAccounts(stream.AccountsConfig{Owner: func(id peer.ID) (fair.Owner, bool) {
			return fair.Owner{Org: "A", Identity: "a"}, id[0] == 'm'
		}})
		require.NoError(t, err)
		for i := range stream.FaultLimit - 1 {
			a.Fault(peer.ID(fmt.Sprint("member", i)), stream.Violation)
		}
		for i := range 10000 {
			a.Fault(peer.ID(fmt.Sprint("stranger", i)), stream.Violation)
		}
		require.False(t, a.Barred("member0"))
		a.Fault("member99", stream.Violation)
		require.True(t, a.Barred("member0"))
		require.True(t, a.Barred("member-never-seen"), "another host key of the identity")
		require.False(t, a.Barred("stranger0"))
	})
}

func TestFaultsDecay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, err := stream.NewAccounts(stream.AccountsConfig{})
		require.NoError(t, err)
		for range 10 * stream.FaultLimit {
			a.Fault("clumsy", stream.Nonsense)
			time.Sleep(stream.FaultDecay)
		}
		require.False(t, a.Barred("clumsy"))
	})
}

func TestNilAccounts(t *testing.T) {
	var a *stream.Accounts
	for range 2 * stream.FaultLimit {
		a.Fault("peer", stream.Nonsense)
	}
	require.False(t, a.Barred("peer"))
	require.Equal(t, fair.Owner{Identity: "peer"}, a.Owner("peer"))
}
