// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/membership"
)

// TestMemberIsPurgedAtTheEndOfItsCertificate: by time alone, however lately it was heard, and the view says when.
func TestMemberIsPurgedAtTheEndOfItsCertificate(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	org, err := devnet.NewOrg("Org1", now)
	require.NoError(t, err)
	node, err := org.Enroll("peer0", devnet.Peer, now)
	require.NoError(t, err)
	end := now.Add(2 * time.Second)
	node, err = org.Renew(node, now.Add(-time.Hour), end)
	require.NoError(t, err)
	local, err := node.Local()
	require.NoError(t, err)
	v := newView(t, membership.ViewConfig{Scope: scope})
	v.Observe(now, membership.Channel, beat(recordAt(t, now, "a", local.Signer, 1), 1, 3))
	next, some := v.Next(now)
	require.True(t, some)
	require.Equal(t, end.Add(time.Nanosecond).UTC(), next.UTC())
	require.Empty(t, v.Expire(end), "it is good at its very end")
	changes := v.Expire(next)
	require.Len(t, changes, 1)
	require.Equal(t, membership.Purged, changes[0].Kind)
	require.Empty(t, v.Members())
	require.Empty(t, v.Expire(next))
}
