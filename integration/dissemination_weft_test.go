// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weft-p2p/weft"
)

const (
	settling = 20 * time.Second // before the first block
	patience = time.Minute      // for what is late, after the last
)

// spreadByWeft measures weft's own nodes. The clock starts when the ordering service has signed a block: the leaders have it
// at that moment.
func spreadByWeft(t *testing.T, c spreadCase) *spreading {
	n := newNet(t, c.link(), c.orgs, 0)
	roles := c.cast(n.Rand(castStream))
	c.wire(n.Net, roles)
	s := newSpreading("weft", c, roles)
	s.seed = n.Seed
	hush := new(atomic.Bool)
	n.counts = prometheus.NewRegistry()
	var honest []*testPeer
	for i, r := range roles {
		p := n.add(n.orgs[r.org], i)
		p.hidden, p.options = r.hidden, []weft.Option{weft.WithRegisterer(n.counts)}
		if r.mute {
			p.mute = hush
		} else if !r.leads {
			honest = append(honest, p)
		}
	}
	for i, p := range n.peers {
		if roles[i].leads {
			p.start(weft.AsLeader())
		} else {
			p.start()
		}
	}
	time.Sleep(settling)
	hush.Store(true)
	n.spread(s, honest)
	return s
}

// spread orders the blocks of a case and writes down when who has them.
func (n *testNet) spread(s *spreading, watched []*testPeer) {
	ctx, cancel := context.WithCancel(context.Background())
	var watchers sync.WaitGroup
	first := n.orderer.Height()
	for _, p := range watched {
		watchers.Go(func() {
			for i := range s.blocks {
				if p.channel.WaitHeight(ctx, first+uint64(i)+1) != nil {
					return
				}
				s.arrived(i)
			}
		})
	}
	s.before = n.read()
	start := time.Now()
	for i := range s.blocks {
		tx := n.transaction(min(s.size, 10*mB-4*kB)) // a channel allows 10 MiB, with the envelope
		time.Sleep(time.Until(start.Add(time.Duration(i) * s.every)))
		s.leaves(i)
		n.cut(tx)
	}
	time.Sleep(s.every)
	n.await(patience, watched...)
	s.after = n.read()
	cancel()
	watchers.Wait()
	for i := range s.blocks {
		s.bytes += int64(len(n.ordered(first + uint64(i)).Data.Data[0]))
	}
}

// read reads what all peers have received.
func (n *testNet) read() reading {
	r := reading{at: time.Now()}
	if n.Net != nil {
		r.wire = n.Carried()
	}
	for _, p := range n.peers {
		r.payload += p.traffic.blocks()
	}
	if n.counts != nil {
		r.dropped = counted(n.t, n.counts, "weft_relay_dropped_total") + counted(n.t, n.counts, "weft_announcements_skipped_total")
		r.repaired = counted(n.t, n.counts, "weft_repairs_total")
	}
	return r
}

// muffled is a host whose streams say nothing of blocks any more, neither bodies nor requests nor answers, once it is to be
// mute. It goes on to listen, and everything else goes on: heartbeats, gossip.
type muffled struct {
	corehost.Host
	mute *atomic.Bool
}

func (h muffled) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	s, err := h.Host.NewStream(ctx, p, ids...)
	if err != nil || !spreads(s.Protocol()) {
		return s, err
	}
	return muffledStream{s, h.mute}, nil
}

func (h muffled) SetStreamHandler(id protocol.ID, handle network.StreamHandler) {
	h.Host.SetStreamHandler(id, func(s network.Stream) {
		if spreads(id) {
			s = muffledStream{s, h.mute}
		}
		handle(s)
	})
}

// spreads says whether a protocol carries blocks or requests for them.
func spreads(id protocol.ID) bool {
	return strings.HasPrefix(string(id), "/weft/sync/") || strings.HasPrefix(string(id), "/weft/relay/")
}

type muffledStream struct {
	network.Stream
	mute *atomic.Bool
}

func (s muffledStream) Write(p []byte) (int, error) {
	if s.mute.Load() {
		return len(p), nil
	}
	return s.Stream.Write(p)
}

// CloseWrite and Close leave the other end waiting.
func (s muffledStream) CloseWrite() error {
	if s.mute.Load() {
		return nil
	}
	return s.Stream.CloseWrite()
}

func (s muffledStream) Close() error {
	if s.mute.Load() {
		return s.CloseRead()
	}
	return s.Stream.Close()
}
