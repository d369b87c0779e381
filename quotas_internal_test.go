// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/stretchr/testify/require"
	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
)

// TestWantedAreShared: no organization, and no identity with many host keys, takes the connections of others.
func TestWantedAreShared(t *testing.T) {
	names := map[string]*devnet.Org{}
	member := func(org, name string, hostKeys int) (members []membership.Member) {
		if names[org] == nil {
			var err error
			names[org], err = devnet.NewOrg(org, time.Now())
			require.NoError(t, err)
		}
		node, err := names[org].Enroll(name, devnet.Peer, time.Now())
		require.NoError(t, err)
		local, err := node.Local()
		require.NoError(t, err)
		for i := range hostKeys {
			key, _, err := crypto.GenerateEd25519Key(rand.Reader)
			require.NoError(t, err)
			rec, err := msp.IssueRecord(key, local.Signer, uint64(i+1), time.Now())
			require.NoError(t, err)
			members = append(members, membership.Member{ID: rec.PeerID(), MSPID: local.Signer.MSPID(), Record: rec, Alive: true})
		}
		return members
	}
	var own, channel []membership.Member
	for i := range 3 {
		own = append(own, member("Own", fmt.Sprint("peer", i), 1)...)
		channel = append(channel, member("Honest", fmt.Sprint("peer", i), 1)...)
	}
	for i := range 30 {
		channel = append(channel, member("Greedy", fmt.Sprint("peer", i), 1)...)
	}
	twins := member("Honest", "twin", 8)
	channel = append(channel, twins...)
	msps := map[string]string{}
	for _, m := range append(own, channel...) {
		msps[m.ID.String()] = m.MSPID
	}
	count := map[string]int{}
	ids := wanted([][]membership.Member{own, channel}, own[0].MSPID, 20)
	for id := range ids {
		count[msps[id.String()]]++
	}
	require.Equal(t, map[string]int{own[0].MSPID: 3, channel[0].MSPID: 4, channel[3].MSPID: 13}, count)
	require.Contains(t, ids, twins[7].ID, "the newest incarnation")
	require.Len(t, wanted([][]membership.Member{own}, own[0].MSPID, 2), 2)
}
