// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/msp"
)

// show makes the record of a new host key of an identity.
func show(t *testing.T, id *msp.SigningIdentity, incarnation uint64) *msp.Record {
	rec, err := msp.IssueRecord(newHostKey(t), id, incarnation, time.Now())
	require.NoError(t, err)
	return rec
}

func everybody(peer.ID) bool { return true }

// TestThousandHostKeysOfOneIdentity: they get the places of one identity, and those with the newest incarnations stay.
func TestThousandHostKeysOfOneIdentity(t *testing.T) {
	table := host.NewTable(64, everybody)
	honest := show(t, identity(t, "Org1"), 1)
	table.Learn(honest, host.Verified)
	one := identity(t, "Org2")
	var newest *msp.Record
	for i := range 1000 {
		newest = show(t, one, uint64(i+1))
		table.Learn(newest, host.Verified)
		require.LessOrEqual(t, table.Len(), 1+host.HostKeys)
	}
	require.Equal(t, 1+host.HostKeys, table.Len())
	require.True(t, table.Knows(newest))
	late := show(t, one, 5)
	table.Learn(late, host.Verified)
	require.False(t, table.Knows(late), "an older incarnation")
	require.True(t, table.Knows(honest))
}

// TestOrganizationCannotFillTheTable: members of other organizations always find room, whatever one organization does, and
// whatever strangers call themselves.
func TestOrganizationCannotFillTheTable(t *testing.T) {
	const limit = 32
	table := host.NewTable(limit, everybody)
	var honest []*msp.Record
	welcome := func(n int) {
		for range n {
			rec := show(t, identity(t, "Org1"), 1)
			table.Learn(rec, host.Verified)
			honest = append(honest, rec)
		}
	}
	flood := func(result host.Result, org string) {
		for range 2 * limit {
			table.Learn(show(t, identity(t, org), 1), result)
			require.LessOrEqual(t, table.Len(), limit)
		}
	}
	welcome(limit / 4)
	flood(host.Verified, "Org2")
	flood(host.Refused, "Org1")
	flood(host.Unknown, "Org1")
	welcome(limit / 4)
	flood(host.Verified, "Org2")
	for i, rec := range honest {
		require.True(t, table.Knows(rec), "member %d", i)
	}
	require.Equal(t, limit, table.Len())
}

// TestDisconnectedGoFirst: of those too the organization with the most.
func TestDisconnectedGoFirst(t *testing.T) {
	gone := map[peer.ID]bool{}
	table := host.NewTable(8, func(id peer.ID) bool { return !gone[id] })
	away := show(t, identity(t, "Org1"), 1)
	gone[away.PeerID()] = true
	table.Learn(away, host.Verified)
	var members []*msp.Record
	for range 4 {
		rec := show(t, identity(t, "Org3"), 1)
		table.Learn(rec, host.Verified)
		members = append(members, rec)
	}
	for range 20 {
		rec := show(t, identity(t, "Org2"), 1)
		table.Learn(rec, host.Verified)
		gone[rec.PeerID()] = true
	}
	require.True(t, table.Knows(away))
	for _, rec := range members {
		require.True(t, table.Knows(rec))
	}
}

// TestReportedTwinsAtTheLimit: as many identities are remembered as the table says; with one more the first may be reported
// again.
func TestReportedTwinsAtTheLimit(t *testing.T) {
	table := host.NewTable(4, everybody)
	first := show(t, identity(t, "Org1"), 1)
	require.True(t, table.Twin(first))
	for range host.MaxTwins - 1 {
		require.True(t, table.Twin(show(t, identity(t, "Org1"), 1)))
	}
	require.False(t, table.Twin(first), "at the limit")
	for range host.MaxTwins {
		require.True(t, table.Twin(show(t, identity(t, "Org1"), 1)))
	}
	require.True(t, table.Twin(first), "past it")
}
