// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/internal/simtest"
	"github.com/weft-p2p/weft/internal/stream"
)

// ward is a node that relays a channel, and a host that speaks to it by hand, as a member.
type ward struct {
	t      *testing.T
	host   host.Host // the node's
	member host.Host
	twin   host.Host // another host key of the member's identity
	*stream.Accounts
	channel *relay.Channel
	block   *blockOf // announced by the member

	mu     sync.Mutex // guards judged
	judged int
}

// guarded runs a test with a ward in virtual time.
func guarded(t *testing.T, test func(w *ward)) {
	synctest.Test(t, func(t *testing.T) {
		sim := simtest.New(t, simtest.Link{Latency: 5 * time.Millisecond, BitsPerSecond: 20e9})
		w := &ward{t: t, host: newHost(t, sim, 0), member: newHost(t, sim, 1), twin: newHost(t, sim, 2)}
		var err error
		w.Accounts, err = stream.NewAccounts(stream.AccountsConfig{
			Owner:  func(id peer.ID) (fair.Owner, bool) { return fair.Owner{Org: "A", Identity: "one"}, true },
			Barred: func(id peer.ID) { _ = w.host.Network().ClosePeer(id) },
		})
		require.NoError(t, err)
		w.block = newBlock(1, 100_000, w.member.ID())
		carrier := relay.NewCarrier(relay.CarrierConfig{
			Host: w.host, Accounts: w.Accounts, Speaks: func(id peer.ID) bool { return !w.Barred(id) },
		})
		w.channel = relay.NewChannel(w.config(carrier))
		ctx, cancel := context.WithCancel(context.Background())
		var group sync.WaitGroup
		group.Go(func() { _ = carrier.Run(ctx) })
		group.Go(func() { _ = w.channel.Run(ctx) })
		t.Cleanup(func() { cancel(); group.Wait() })
		time.Sleep(time.Second)
		test(w)
	})
}

func newHost(t *testing.T, sim *simtest.Net, i int) host.Host {
	h, err := libp2p.New(sim.Options(i)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

func (w *ward) config(carrier *relay.Carrier) relay.ChannelConfig {
	return relay.ChannelConfig{
		Config: relay.Config{Self: w.host.ID(), Org: "A", Rand: rand.New(rand.NewPCG(1, 2))},
		Scope:  "scope", Carrier: carrier, May: func(id peer.ID) bool { return !w.Barred(id) },
		Readers: func() []peer.ID { return nil }, // it opens no streams itself
		View:    func() []relay.Member { return []relay.Member{{ID: w.member.ID(), Org: "A"}} },
		Judge: func(_ peer.ID, sealed []byte) (relay.Announcement, relay.Verdict) {
			if string(sealed) == "forged" {
				return relay.Announcement{}, relay.Rejected
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.judged++
			return w.block.Announcement, relay.Verified
		},
		Complete: func(relay.Complete) bool { return true },
		GiveUp:   func(relay.Lost) {}, Publish: func(context.Context, []byte) {},
	}
}

// open opens a stream of the member's, connecting first if need be; it reports whether it was taken.
func (w *ward) open() (network.Stream, bool) { return w.openAs(w.member) }

func (w *ward) openAs(h host.Host) (network.Stream, bool) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	if h.Connect(ctx, peer.AddrInfo{ID: w.host.ID(), Addrs: w.host.Addrs()}) != nil {
		return nil, false
	}
	s, err := h.NewStream(ctx, w.host.ID(), relay.Protocol.ID)
	if err != nil {
		return nil, false
	}
	_ = s.SetDeadline(time.Now().Add(time.Hour))
	if _, err := s.Write([]byte{2}); err != nil {
		return nil, false
	}
	_, err = s.Read(make([]byte, 1))
	return s, err == nil
}

// say writes frames on a stream of its own, until it is cut.
func (w *ward) say(frames ...*relay.Frame) bool {
	s, ok := w.open()
	if !ok {
		return false
	}
	write := relay.WriteFrames(s)
	for _, f := range frames {
		if write("scope", f) != nil {
			return false
		}
	}
	time.Sleep(100 * time.Millisecond)
	_ = s.Reset()
	return true
}

// TestMisconductIsBarred: whoever goes on saying what no honest peer says loses its streams and its connection, and is refused.
func TestMisconductIsBarred(t *testing.T) {
	raw := func(data []byte) func(w *ward) {
		return func(w *ward) {
			if s, ok := w.open(); ok {
				_, _ = s.Write(data)
				time.Sleep(50 * time.Millisecond)
				_ = s.Reset()
			}
		}
	}
	names := []byte{}
	for range relay.MaxScopes + 1 {
		names = append(names, 2, 0, 'a')
	}
	for name, offend := range map[string]func(w *ward){
		"oversize":            raw(binary.AppendUvarint(nil, relay.MaxFrame+1)),
		"length without end":  raw(bytes.Repeat([]byte{0xff}, 20)),
		"nonsense":            raw([]byte{3, 1, 0, 99}),
		"empty":               raw([]byte{0}),
		"too many channels":   raw(names),
		"a long name":         raw(append([]byte{0x82, 0x01, 0}, strings.Repeat("b", relay.MaxScope+1)...)),
		"an altered piece":    func(w *ward) { w.say(w.announce(), w.altered()) },
		"another block's":     func(w *ward) { w.say(w.announce(), w.misplaced()) },
		"a forged one signed": func(w *ward) { w.say(&relay.Frame{Kind: relay.Announce, Data: []byte("forged")}) },
	} {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(w *ward) {
				offences := 0
				for start := time.Now(); !w.Barred(w.member.ID()); offences++ {
					require.Less(t, time.Since(start), 2*time.Minute)
					offend(w)
					time.Sleep(100 * time.Millisecond)
				}
				require.GreaterOrEqual(t, offences, stream.FaultLimit)
				require.Empty(t, w.host.Network().ConnsToPeer(w.member.ID()))
				_, ok := w.open()
				require.False(t, ok, "it is refused")
				time.Sleep(stream.FaultPause)
				require.True(t, w.say(w.announce()), "and afterwards heard again")
			})
		})
	}
}

func (w *ward) announce() *relay.Frame {
	return &relay.Frame{Kind: relay.Announce, Ref: w.block.Ref(), Data: w.block.Sealed, Proof: w.block.Crown}
}

func (w *ward) altered() *relay.Frame {
	f := w.block.piece(relay.Final, 4, 4)
	f.Data = bytes.Clone(f.Data)
	f.Data[9] ^= 1
	return f
}

func (w *ward) misplaced() *relay.Frame {
	f := w.block.piece(relay.Final, 4, 4)
	f.First = 8
	return f
}

// TestBarredIdentityLosesAllItsStreams: those of its other host keys end with the next frame, which is not heard.
func TestBarredIdentityLosesAllItsStreams(t *testing.T) {
	guarded(t, func(w *ward) {
		s, ok := w.openAs(w.twin)
		require.True(t, ok)
		write := relay.WriteFrames(s)
		require.NoError(t, write("scope", w.announce()))
		require.NoError(t, write("a channel that is not here", w.announce()))
		time.Sleep(100 * time.Millisecond)
		require.True(t, alive(s))
		for range stream.FaultLimit {
			w.Fault(w.member.ID(), stream.Violation)
		}
		_ = write("scope", w.announce())
		time.Sleep(100 * time.Millisecond)
		require.False(t, alive(s))
		w.mu.Lock()
		defer w.mu.Unlock()
		require.Equal(t, 1, w.judged)
	})
}

// TestWhatIsNoFault: what an honest peer may say, whatever it knows: it is not barred for it, however often.
func TestWhatIsNoFault(t *testing.T) {
	guarded(t, func(w *ward) {
		other := newBlock(7, 5000, w.member.ID())
		want := &relay.Frame{Kind: relay.Want, Ref: w.block.Ref(), Missing: relay.NewBitmap(w.block.tree.Count()), Have: relay.NewBitmap(w.block.tree.Count())}
		for range 2 * stream.FaultLimit {
			require.True(t, w.say(w.announce(), w.block.piece(relay.Relay, 4, 4), w.block.piece(relay.Relay, 4, 4), other.piece(relay.Final, 0, 1), want,
				&relay.Frame{Kind: relay.Done, Ref: other.Ref()}, &relay.Frame{Kind: relay.Cancel, Ref: w.block.Ref()}, &relay.Frame{Kind: relay.Unready}))
		}
		s, ok := w.open()
		require.True(t, ok)
		write := relay.WriteFrames(s)
		for range 1000 {
			require.NoError(t, write("a channel that is not here", other.piece(relay.Final, 0, 1)))
		}
		_ = s.Close()
		time.Sleep(time.Second)
		require.False(t, w.Barred(w.member.ID()))
	})
}

// TestFloodIsReadSlowly: more work than the rate is read no faster than the rate, and bars whoever goes on.
func TestFloodIsReadSlowly(t *testing.T) {
	if testing.Short() {
		t.Skip("it costs seconds, and many under the race detector")
	}
	guarded(t, func(w *ward) {
		s, ok := w.open()
		require.True(t, ok)
		write := relay.WriteFrames(s)
		start, frames := time.Now(), 0
		for !w.Barred(w.member.ID()) && time.Since(start) < 2*time.Minute {
			if write("scope", w.announce()) != nil {
				break
			}
			frames++
		}
		took := time.Since(start)
		require.True(t, w.Barred(w.member.ID()))
		require.Greater(t, took, (stream.FaultLimit-2)*time.Second)
		most := relay.WorkBurst + int(took.Seconds()*relay.Work)
		w.mu.Lock()
		defer w.mu.Unlock()
		require.Greater(t, frames, w.judged, "they wait at the sender's")
		require.LessOrEqual(t, w.judged*relay.Cost(w.announce()), most)
		require.Greater(t, w.judged*relay.Cost(w.announce()), most/2)
		require.Empty(t, w.host.Network().ConnsToPeer(w.member.ID()))
	})
}

// TestFrameThatDoesNotEnd: a stream may be silent for hours, but a frame that has begun has to come.
func TestFrameThatDoesNotEnd(t *testing.T) {
	guarded(t, func(w *ward) {
		s, ok := w.open()
		require.True(t, ok)
		time.Sleep(30 * time.Minute)
		require.NoError(t, relay.WriteFrames(s)("scope", w.announce()))
		var raw bytes.Buffer
		require.NoError(t, relay.WriteFrames(&raw)("scope", w.block.piece(relay.Final, 0, 16)))
		for _, at := range []int{1, 2, 5, 5000} {
			s, ok := w.open()
			require.True(t, ok)
			_, err := s.Write(raw.Bytes()[len("scope")+2:][:at]) // without the name, which is a frame as well
			require.NoError(t, err)
			time.Sleep(relay.Protocol.Deadline - time.Second)
			require.True(t, alive(s), "at %d", at)
			time.Sleep(2 * time.Second)
			require.False(t, alive(s), "at %d", at)
		}
		require.True(t, alive(s))
	})
}

// alive says whether the other end has not ended a stream.
func alive(s network.Stream) bool {
	_ = s.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := s.Read(make([]byte, 1))
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
