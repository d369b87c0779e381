// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/simtest"
)

// purse is memory of which there is so much.
type purse struct{ left int }

func (p *purse) Take(bytes int) bool {
	if bytes > p.left {
		return false
	}
	p.left -= bytes
	return true
}

func (p *purse) Give(bytes int) { p.left += bytes }

// TestMemoryOfBodies: a body is taken for with its first leaf, once, and given back when it is complete, given up for lost or
// committed. A block that there is no memory for is told from one that does not come.
func TestMemoryOfBodies(t *testing.T) {
	const size = 100_000
	for name, c := range map[string]struct {
		memory int
		end    func(p *player, b *blockOf)
	}{
		"complete": {size, func(p *player, b *blockOf) {
			last := b.tree.Count() - 1
			p.Receive(p.now, "a", b.piece(relay.Final, last-1, 1))
			p.Receive(p.now, "a", b.piece(relay.Final, last, 1))
			require.Len(p.t, p.Take().Complete, 1)
		}},
		"committed": {size, func(p *player, b *blockOf) { p.Committed(p.now, 2) }},
		"refuted":   {size, func(p *player, b *blockOf) { p.Refute(p.now, b.Announcement) }},
		"too much": {size - 1, func(p *player, b *blockOf) {
			require.Positive(p.t, p.Stats().Overflow)
			p.pass(4 * time.Second)
			e := p.Take()
			require.Equal(p.t, []relay.Lost{{Number: 1, Announcers: []peer.ID{"a"}, Crowded: true}}, e.GiveUp)
			require.Equal(p.t, map[relay.Drop]int{relay.DropMemory: p.Stats().Overflow}, e.Dropped)
			require.Equal(p.t, b.tree.Count(), e.Wanted[relay.Silent]+e.Wanted[relay.Overtaken]+e.Wanted[relay.Paused], "each leaf once")
			p.Committed(p.now, 2)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p, b := play(t), newBlock(1, size, "a")
			memory := &purse{c.memory}
			p.Memory = memory
			p.Announced(p.now, b.Announcement)
			for range 2 { // what comes twice is taken for once
				for i := range b.tree.Count() - 2 {
					p.Receive(p.now, "a", b.piece(relay.Final, i, 1))
				}
			}
			require.Equal(t, c.memory%size, memory.left)
			c.end(p, b)
			require.Equal(t, c.memory, memory.left)
		})
	}
}

// tight is a host with a resource manager of its own for services.
type tight struct {
	host.Host
	manager network.ResourceManager
}

func (h tight) Network() network.Network { return tightNetwork{h.Host.Network(), h.manager} }

type tightNetwork struct {
	network.Network
	manager network.ResourceManager
}

func (n tightNetwork) ResourceManager() network.ResourceManager { return n.manager }

// TestMemoryOfTheHost: what the host's resource manager has no memory for is given up and counted, what it has memory for comes,
// and nothing is left in its books at the end.
func TestMemoryOfTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 1 << 20
		net := simtest.New(t, simtest.Link{Latency: 10 * time.Millisecond, BitsPerSecond: 100e6})
		partial := rcmgr.PartialLimitConfig{Service: map[string]rcmgr.ResourceLimits{relay.Protocol.Service: {Memory: limit}}}
		manager, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(partial.Build(rcmgr.InfiniteLimits)), rcmgr.WithMetricsDisabled())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, manager.Close()) })
		m := emptyMesh(t, net)
		for i := range 3 {
			h, err := libp2p.New(net.Options(i)...)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, h.Close()) })
			if i == 2 {
				h = tight{h, manager}
			}
			m.add(h)
		}
		m.run()
		poor := m.nodes[2]
		m.publish(0, 0, 500_000)
		time.Sleep(3 * time.Second)
		require.NotNil(t, poor.body(0))
		m.publish(0, 1, limit+1)
		time.Sleep(5 * time.Second)
		require.NotNil(t, m.nodes[1].body(1))
		require.Nil(t, poor.body(1))
		require.Equal(t, []relay.Lost{{Number: 1, Announcers: []peer.ID{m.nodes[0].host.ID()}, Crowded: true}}, now(poor, func() []relay.Lost { return poor.lost }))
		require.Positive(t, now(poor, func() int { return poor.dropped[relay.DropMemory] }))
		require.Positive(t, now(poor, func() int { return poor.wanted[relay.Silent] }))
		m.publish(0, 2, limit/2)
		time.Sleep(60 * time.Millisecond)
		require.EqualValues(t, limit/2, reserved(t, manager), "it is on its way")
		m.stop()
		require.Zero(t, reserved(t, manager))
	})
}

func reserved(t *testing.T, manager network.ResourceManager) (bytes int64) {
	require.NoError(t, manager.ViewService(relay.Protocol.Service, func(s network.ServiceScope) error {
		bytes = s.Stat().Memory
		return nil
	}))
	return bytes
}
