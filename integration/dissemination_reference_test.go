// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/reference"
	"github.com/weft-p2p/weft/internal/simtest"
)

// dials is how many others each host of a gossipsub connects to by chance: about 18 connections each, which is where the
// defaults do best. With everybody connected to everybody it offers each message to more (GossipFactor).
const dials = 10

// tunedPiece is what tuned gossipsub cuts blocks into.
const tunedPiece = 32 << 10

// otherScheme is one host's part in a scheme beside weft.
type otherScheme interface {
	Publish(ctx context.Context, number uint64, block []byte) error
	Run(ctx context.Context) error
}

// others is a network of another scheme.
type others struct {
	scheme   string
	hosts    []corehost.Host
	traffic  []*traffic
	parts    []otherScheme
	settling time.Duration
	wire     func() int64         // nil: not counted
	watch    func() (stop func()) // called before the first block, unless nil; stop when all is there
}

// spreadByReference measures another scheme on the network of the case. The leaders publish a block at the same moment.
func spreadByReference(t *testing.T, scheme string, c spreadCase) *spreading {
	n := simtest.New(t, c.link())
	random := n.Rand(castStream)
	roles := c.cast(random)
	c.wire(n, roles)
	o := &others{scheme: scheme, settling: settling, wire: n.Carried}
	for i := range roles {
		o.host(t, n.Options(i))
	}
	return o.spread(t, newSpreading(scheme, c, roles), roles, random)
}

// host adds a host.
func (o *others) host(t *testing.T, options []libp2p.Option) {
	counter := newTraffic()
	h, err := libp2p.New(append(options, libp2p.BandwidthReporter(counter), libp2p.DisableMetrics())...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	o.hosts, o.traffic = append(o.hosts, h), append(o.traffic, counter)
}

// spread runs the scheme and publishes the blocks of a case.
func (o *others) spread(t *testing.T, s *spreading, roles []role, random *rand.Rand) *spreading {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for i := range o.hosts {
		part, err := o.part(ctx, i, s, roles, random)
		require.NoError(t, err)
		o.parts = append(o.parts, part)
		running.Go(func() { require.NoError(t, part.Run(ctx)) })
	}
	o.connect(ctx, t, roles, random)
	time.Sleep(o.settling)
	if o.watch != nil {
		defer o.watch()()
	}
	s.before = o.read()
	for i := range s.blocks {
		o.publish(ctx, t, i, s, roles, random)
		time.Sleep(s.every)
	}
	for end := time.Now().Add(patience); !s.complete() && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	s.after = o.read()
	return s
}

// part makes one host's part.
func (o *others) part(ctx context.Context, i int, s *spreading, roles []role, random *rand.Rand) (otherScheme, error) {
	c := reference.Config{
		Host: o.hosts[i], Mute: roles[i].mute, Rand: rand.New(rand.NewPCG(random.Uint64(), 1)),
		Delivered: func(number uint64) {
			if !roles[i].leads && !roles[i].mute {
				s.arrived(int(number))
			}
		},
	}
	switch o.scheme {
	case "gossipsub":
		return reference.NewGossipsub(ctx, c, 0)
	case "gossipsub-tuned":
		return reference.NewGossipsub(ctx, c, tunedPiece)
	}
	for j, h := range o.hosts { // Fabric's peers push and pull inside their organization
		if j != i && roles[j].org == roles[i].org {
			c.Members = append(c.Members, h.ID())
		}
	}
	return reference.NewFabric(c), nil
}

// connect connects everybody to whom it needs.
func (o *others) connect(ctx context.Context, t *testing.T, roles []role, random *rand.Rand) {
	for i, h := range o.hosts {
		order := random.Perm(len(o.hosts))
		if o.scheme != "fabric" {
			order = order[:min(dials, len(order))]
		}
		for _, j := range order {
			if j == i || o.scheme == "fabric" && (j > i || roles[j].org != roles[i].org) {
				continue
			}
			require.NoError(t, h.Connect(ctx, peer.AddrInfo{ID: o.hosts[j].ID(), Addrs: o.hosts[j].Network().ListenAddresses()}))
		}
	}
}

// publish lets the leaders publish a block.
func (o *others) publish(ctx context.Context, t *testing.T, number int, s *spreading, roles []role, random *rand.Rand) {
	block := make([]byte, s.size)
	_, _ = rand.NewChaCha8([32]byte{byte(number), byte(random.Uint32())}).Read(block) // never fails
	s.leaves(number)
	s.bytes += int64(len(block))
	for i, r := range roles {
		if r.leads {
			require.NoError(t, o.parts[i].Publish(ctx, uint64(number), block))
		}
	}
}

func (o *others) read() reading {
	r := reading{at: time.Now()}
	if o.wire != nil {
		r.wire = o.wire()
	}
	for _, c := range o.traffic {
		r.payload += c.blocks()
	}
	return r
}
