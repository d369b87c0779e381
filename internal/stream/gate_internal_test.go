// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/fair"
)

// TestGateOfManyHostKeys: a thousand streams of one identity, then of all identities that one organization can make, then of
// strangers; the members of another organization find room all the while, and what is given back is free.
func TestGateOfManyHostKeys(t *testing.T) {
	g := gate{total: 96, each: 32}
	flood := func(owner func(i int) fair.Owner) (inside []fair.Owner) {
		for i := range 1000 {
			if o := owner(i); g.enter(o) == network.StreamNoError {
				inside = append(inside, o)
			}
		}
		return inside
	}
	honest := fair.Owner{Org: "A", Identity: "honest"}
	served := func() {
		t.Helper()
		require.Equal(t, network.StreamNoError, g.enter(honest))
		g.leave(honest)
	}
	var all []fair.Owner
	one := flood(func(int) fair.Owner { return fair.Owner{Org: "B", Identity: "one"} })
	require.Len(t, one, g.each)
	served()
	org := flood(func(i int) fair.Owner { return fair.Owner{Org: "B", Identity: fmt.Sprint(i)} })
	require.Len(t, append(one, org...), g.total/2)
	served()
	strangers := flood(func(i int) fair.Owner { return fair.Owner{Identity: fmt.Sprint(i)} })
	require.Len(t, strangers, g.total/4)
	served()
	for _, o := range append(append(all, append(one, org...)...), strangers...) {
		g.leave(o)
	}
	require.Zero(t, g.tally.All())
	require.Zero(t, g.tally.Owners())
}
