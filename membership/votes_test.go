// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/membership"
)

// TestOneHostKeyStandsForAnIdentity: the one with the newest incarnation, whatever the others claim.
func TestOneHostKeyStandsForAnIdentity(t *testing.T) {
	v := newView(t, membership.ViewConfig{Scope: scope})
	now := time.Now()
	twin := identity(t, "Org1")
	for i := range membership.DefaultLimits().PerIdentity {
		v.Observe(now, membership.Channel, beat(record(t, fmt.Sprint("key", i), twin, uint64(10-i)), 1, uint64(i+1)))
	}
	honest := record(t, "honest", identity(t, "Org2"), 1)
	v.Observe(now, membership.Channel, beat(honest, 1, 1))
	stand := membership.OnePerIdentity(v.Alive())
	require.Len(t, stand, 2)
	for _, m := range stand {
		require.True(t, m.ID == honest.PeerID() || m.ID == peerID(t, "key0"))
	}
	require.False(t, v.MostHave(2), "one vote, of the newest incarnation, which has 1")
	v.Unreachable(now, peerID(t, "key0"))
	stand = membership.OnePerIdentity(v.Members())
	require.Len(t, stand, 2)
	require.True(t, stand[0].Alive && stand[1].Alive, "the living before the dead")
}

// TestThirdColludesInHeights: 4 of 12 identities, with all the host keys that they may have, claim 2^63; then an organization
// of any size does.
func TestThirdColludesInHeights(t *testing.T) {
	v := newView(t, membership.ViewConfig{Scope: scope})
	now := time.Now()
	for i := range 8 {
		v.Observe(now, membership.Channel, beat(record(t, fmt.Sprint("honest", i), identity(t, fmt.Sprint("Org", i%4)), 1), 1, 100))
	}
	require.True(t, v.MostHave(100))
	for i := range 4 {
		colluder := identity(t, fmt.Sprint("Org", i))
		for key := range 20 {
			v.Observe(now, membership.Channel, beat(record(t, fmt.Sprint("colluder", i, key), colluder, 1), 1, 1<<63))
		}
	}
	require.False(t, v.MostHave(101))
	require.True(t, v.MostHave(100))
	v = newView(t, membership.ViewConfig{Scope: scope})
	for i := range 4 {
		v.Observe(now, membership.Channel, beat(record(t, fmt.Sprint("honest", i), identity(t, fmt.Sprint("Org", i%2)), 1), 1, 100))
	}
	for i := range 50 {
		v.Observe(now, membership.Channel, beat(record(t, fmt.Sprint("member", i), identity(t, "Org9"), 1), 1, 1<<63))
	}
	require.False(t, v.MostHave(101), "one organization is no majority")
}

// TestOrganizationCannotCrowdOut: the honest members of other organizations always fit into a view.
func TestOrganizationCannotCrowdOut(t *testing.T) {
	v := newView(t, membership.ViewConfig{Scope: scope, Limits: membership.Limits{Members: 32}})
	now := time.Now()
	join := func(org string, i int) {
		v.Observe(now, membership.Channel, beat(record(t, fmt.Sprint(org, i), identity(t, org), 1), 1, 1))
		_, known := v.Count()
		require.LessOrEqual(t, known, 32)
	}
	for i := range 8 {
		join("Org1", i)
	}
	for i := range 100 {
		join("Org2", i)
	}
	for i := range 8 {
		join("Org3", i)
	}
	for i := range 100 {
		join("Org2", 100+i)
	}
	counts := map[string]int{}
	for _, m := range v.Alive() {
		counts[m.MSPID]++
	}
	require.Equal(t, map[string]int{"Org1": 8, "Org2": 16, "Org3": 8}, counts)
}
