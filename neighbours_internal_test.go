// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/grid"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
)

// crowd enrolls members.
type crowd struct {
	t      *testing.T
	orgs   map[string]*devnet.Org
	random *rand.ChaCha8 // of host keys: where members stand is the same each time
}

func newCrowd(t *testing.T) *crowd {
	return &crowd{t, map[string]*devnet.Org{}, rand.NewChaCha8([32]byte{1})}
}

// enroll makes living, visible members of an organization, of one identity each.
func (c *crowd) enroll(org string, count int) (members []membership.Member) {
	for range count {
		members = append(members, c.twins(org, 1)...)
	}
	return members
}

// twins makes the members of one identity with several host keys.
func (c *crowd) twins(name string, hostKeys int) (members []membership.Member) {
	org := c.orgs[name]
	if org == nil {
		var err error
		org, err = devnet.NewOrg(name, time.Now())
		require.NoError(c.t, err)
		c.orgs[name] = org
	}
	node, err := org.Enroll(fmt.Sprint("peer", time.Now().UnixNano()), devnet.Peer, time.Now())
	require.NoError(c.t, err)
	local, err := node.Local()
	require.NoError(c.t, err)
	for i := range hostKeys {
		key, _, err := crypto.GenerateEd25519Key(c.random)
		require.NoError(c.t, err)
		rec, err := msp.IssueRecord(key, local.Signer, uint64(i+1), time.Now())
		require.NoError(c.t, err)
		members = append(members, membership.Member{ID: rec.PeerID(), MSPID: local.Signer.MSPID(), Record: rec, Alive: true, Visible: true})
	}
	return members
}

// around is who is connected to whom with so many members in a full mesh, at a member that everybody sees.
func around(most int) neighbours {
	return neighbours{self: "self", most: most, hidden: func() bool { return false }}
}

// hide makes members those that their organization alone sees.
func hide(members []membership.Member) []membership.Member {
	for i := range members {
		members[i].Visible = false
	}
	return members
}

// TestSmallNetworkIsAFullMesh: everybody is near, with the newest of its host keys, and nobody is spare.
func TestSmallNetworkIsAFullMesh(t *testing.T) {
	c := newCrowd(t)
	own, others, twins := c.enroll("Own", 3), c.enroll("Other", 4), c.twins("Other", 8)
	n := around(9)
	n.choose(own, [][]membership.Member{own, append(others, twins...)})
	require.Len(t, n.near, 8)
	require.Contains(t, n.near, twins[7].ID, "the newest incarnation")
	require.Empty(t, n.spare)
	require.False(t, n.far(others[0].ID))
}

// TestLargeNetworkIsAGrid: above the limit only the neighbours of the grid are near, and our own organization; back below, the mesh is
// full only when it is a tenth smaller, and nobody is spare in between.
func TestLargeNetworkIsAGrid(t *testing.T) {
	c := newCrowd(t)
	own, others := c.enroll("Own", 5), c.enroll("Other", 60)
	n := around(20)
	n.choose(own, [][]membership.Member{own, others})
	for _, m := range own {
		require.Contains(t, n.near, m.ID)
	}
	require.Less(t, len(n.near), 40)
	require.Greater(t, len(n.near), 12)
	require.Len(t, n.spare, 65-len(n.near))
	for id := range n.spare {
		require.True(t, n.far(id))
	}

	for _, at := range []struct {
		others        int
		sparse, spare bool
	}{{15, true, true}, {14, true, false}, {13, true, false}, {12, false, false}, {14, false, false}, {15, true, true}} {
		n.choose(own, [][]membership.Member{own, others[:at.others]})
		require.Equal(t, at.sparse, n.sparse, "with %d others", at.others)
		require.Equal(t, at.spare, len(n.spare) > 0, "with %d others", at.others)
	}
}

// TestLargeOrganizationIsAGrid: an organization that alone would take more than half of the connections is a grid, hidden members
// included; of a channel only visible members are.
func TestLargeOrganizationIsAGrid(t *testing.T) {
	c := newCrowd(t)
	own := c.enroll("Own", 40)
	for i := range own {
		own[i].Visible = i < 2
	}
	n := around(20)
	n.choose(own, [][]membership.Member{own})
	require.Less(t, len(n.near), 30)
	require.Contains(t, n.near, own[0].ID)
	require.Contains(t, n.near, own[1].ID)
}

// TestHiddenMembersDoNotMakeANetworkLarge: who sees the hidden members of a large organization and who sees those of a small one count the
// same network, so that neither closes what the other dials.
func TestHiddenMembersDoNotMakeANetworkLarge(t *testing.T) {
	c := newCrowd(t)
	shown, many := c.enroll("Own", 18), hide(c.enroll("Own", 7))
	for name, hidden := range map[string][]membership.Member{"many hidden members": many, "one": many[:1], "none": nil} {
		own := slices.Concat(shown, hidden)
		n := around(19)
		n.choose(hidden, [][]membership.Member{own})
		require.False(t, n.sparse, name)
		require.Empty(t, n.spare, name)
		require.Len(t, n.near, len(own), name)
	}
}

// TestHiddenMembersShareOutTheVisibleOnes: where each organization has many hidden members, they would be more guests of each visible
// member than it has room for in a full mesh. Then they are connected to the neighbours of the grid, and to all of their own organization.
func TestHiddenMembersShareOutTheVisibleOnes(t *testing.T) {
	c := newCrowd(t)
	var visible []membership.Member
	for _, org := range []string{"Own", "A", "B", "C"} {
		visible = append(visible, c.enroll(org, 6)...)
	}
	own := append(hide(c.enroll("Own", 5)), visible[:6]...)
	for most, few := range map[int]bool{48: false, 47: true} { // 24 visible members, and four times six hidden ones
		n := around(most)
		n.choose(own, [][]membership.Member{visible})
		require.Empty(t, n.spare, "who is visible wants all that are")
		n.hidden = func() bool { return true }
		n.choose(own, [][]membership.Member{visible})
		require.Equal(t, few, len(n.spare) > 0, "a full mesh of %d", most)
		require.Equal(t, few, n.sparse, "a full mesh of %d", most)
		for _, m := range own {
			require.Contains(t, n.near, m.ID)
		}
		if few {
			require.Greater(t, len(n.near), len(own)+3)
		}
	}
}

// TestDeadNeighboursAreDialed: those that would be neighbours if everybody lived, besides the living ones.
func TestDeadNeighboursAreDialed(t *testing.T) {
	c := newCrowd(t)
	others := c.enroll("Other", 60)
	n := around(20)
	n.choose(nil, [][]membership.Member{others})
	whole := n.near
	for i := range others {
		others[i].Alive = i%2 == 0
	}
	n.choose(nil, [][]membership.Member{others})
	dead, living := 0, map[peer.ID]bool{}
	for _, m := range others {
		living[m.ID] = m.Alive
	}
	for id := range whole {
		if !living[id] {
			dead++
			require.Contains(t, n.near, id)
		}
	}
	require.Greater(t, dead, 3)
}

// TestWantedAreShared: no organization, and no identity with many host keys, takes the connections of others: our own organization
// stays near, of others whoever stands in our row, and their number grows with the square root of that of the members.
func TestWantedAreShared(t *testing.T) {
	c := newCrowd(t)
	own, honest, twins := c.enroll("Own", 3), c.enroll("Honest", 20), c.twins("Honest", 8)
	few := around(20)
	few.choose(own, [][]membership.Member{slices.Concat(own, honest)})
	many := around(20)
	many.choose(own, [][]membership.Member{slices.Concat(own, honest, c.enroll("Greedy", 60), twins)})
	for _, m := range own {
		require.Contains(t, many.near, m.ID)
	}
	for _, m := range twins[:7] {
		require.NotContains(t, many.near, m.ID, "an identity has one place")
	}
	bits := grid.Bits(85)
	for _, m := range honest {
		if grid.Row(grid.Point(m.ID), bits) == grid.Row(grid.Point("self"), bits) {
			require.Contains(t, many.near, m.ID)
		}
	}
	require.Less(t, len(many.near), 2*len(few.near)+10, "of 84 members")
}
