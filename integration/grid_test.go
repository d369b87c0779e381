// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/grid"
)

// gridded is a network of one organization that is far larger than a full mesh may be.
func gridded(t *testing.T, peers int) *testNet {
	n := newNet(t, lan, 1, peers)
	for _, p := range n.peers {
		p.options = []weft.Option{weft.WithFullMesh(6)}
	}
	return n
}

// requireGrid requires that the peers that run are connected to their neighbours and to nobody else, but for one connection in twenty,
// which may be on its way.
func (n *testNet) requireGrid() {
	n.t.Helper()
	var ids []peer.ID
	for _, p := range n.peers {
		if p.weft != nil {
			ids = append(ids, p.host.ID())
		}
	}
	g, links, wrong := grid.New(ids...), 0, 0
	for _, p := range n.peers {
		if p.weft == nil {
			continue
		}
		linked := map[peer.ID]struct{}{}
		for _, id := range p.host.Network().Peers() {
			linked[id] = struct{}{}
		}
		near := g.Neighbours(p.host.ID())
		for id := range near {
			if _, ok := linked[id]; !ok {
				wrong++
			}
			delete(linked, id)
		}
		wrong += len(linked)
		links += len(near)
	}
	require.LessOrEqual(n.t, wrong, links/20, "of %d connections", links)
	require.Less(n.t, links, len(ids)*(len(ids)-1), "of a full mesh")
}

// TestGridOfPeers: with a full mesh of six at most, sixteen peers keep the connections of the grid, and everybody gets every block, small
// and big, while some join, leave, crash and are cut off together. In the end the connections are those of the grid again.
func TestGridOfPeers(t *testing.T) {
	if testing.Short() {
		t.Skip("sixteen peers")
	}
	synctest.Test(t, func(t *testing.T) {
		n := gridded(t, 16)
		late, away, leaves, crashes := n.peers[14:], n.peers[9:12], n.peers[6], n.peers[5]
		n.peers[0].start(weft.AsLeader())
		for _, p := range n.peers[1:14] {
			p.start()
		}
		time.Sleep(25 * time.Second) // what is left over is closed after 20
		n.requireGrid()
		n.order(1, 100<<10, 0)
		n.order(1, 1<<10, 0)
		n.requireAll(300*time.Millisecond, n.peers[:14]...)

		for _, p := range late {
			p.start()
		}
		n.order(1, 60<<10, 300*time.Millisecond)
		crashes.crash()
		leaves.stop()
		n.order(1, 60<<10, 300*time.Millisecond)
		n.split(away...)
		n.order(1, 60<<10, 300*time.Millisecond)
		time.Sleep(5 * time.Second)
		n.unite()
		var living []*testPeer
		for _, p := range n.peers {
			if p != crashes && p != leaves {
				living = append(living, p)
			}
		}
		n.requireAll(20*time.Second, living...)

		crashes.restart()
		leaves.start()
		time.Sleep(25 * time.Second)
		n.requireGrid()
		n.order(1, 100<<10, 0)
		n.requireAll(300*time.Millisecond, n.peers...)
	})
}

// TestGridWithHiddenMembers: where most members are known to their organization alone, everybody gets every block at once, from its organization: whether
// visible members stand in rows, or only hidden ones share them out.
func TestGridWithHiddenMembers(t *testing.T) {
	if testing.Short() {
		t.Skip("fifteen peers")
	}
	const orgs, members = 5, 3
	for name, mesh := range map[string]int{"visible members in rows": 4, "visible members in a full mesh": 6} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNet(t, lan, orgs, members)
				for i, p := range n.peers {
					p.hidden, p.options = i%members > 0, []weft.Option{weft.WithFullMesh(mesh)}
				}
				n.peers[0].start(weft.AsLeader())
				for _, p := range n.peers[1:] {
					p.start()
				}
				time.Sleep(25 * time.Second) // what is left over is closed after 20
				for i, p := range n.peers {
					if p.hidden {
						require.ElementsMatch(t, n.near(i, members), p.host.Network().Peers(), "peer %d", i)
					}
				}
				for range 3 {
					n.order(1, 100<<10, 300*time.Millisecond)
				}
				n.requireAll(300*time.Millisecond, n.peers...)
			})
		})
	}
}

// near are those that a hidden peer is to be connected to: its organization, and its neighbours in the grid of the visible peers and itself.
func (n *testNet) near(hidden, members int) (ids []peer.ID) {
	self := n.peers[hidden].host.ID()
	visible := []peer.ID{self}
	for i, p := range n.peers {
		if own := i/members == hidden/members; own && i != hidden {
			ids = append(ids, p.host.ID())
		}
		if !p.hidden {
			visible = append(visible, p.host.ID())
		}
	}
	for id := range grid.New(visible...).Neighbours(self) {
		if id != n.peers[hidden/members*members].host.ID() {
			ids = append(ids, id)
		}
	}
	return ids
}
