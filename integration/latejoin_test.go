// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
	"github.com/weft-p2p/weft/internal/devnet"
)

// grown is a channel that has changed since its genesis block: Org3 was added, and Org2 has a new CA, which issued the
// certificate of its second peer. Peers: 0, 1 of Org1; 2 and 3 of Org2, 3 with the new certificate; 4 of Org3.
func grown(t *testing.T) *testNet {
	n := newNet(t, lan, 2, 2)
	n.peers[0].start(weft.AsLeader())
	n.peers[2].start(weft.AsLeader())
	n.order(3, 2<<10, 10*time.Millisecond)

	added := n.newOrg("Org3")
	n.orgs = append(n.orgs, added)
	n.configure(devnet.AddOrg(added))
	n.order(3, 2<<10, 10*time.Millisecond)

	require.NoError(t, n.orgs[1].RotateCA(time.Now()))
	n.configure(devnet.SetMSP(n.orgs[1]))
	n.peers[2].stop() // its local MSP must know the new CA, as an operator would see to
	n.peers[2].start(weft.AsLeader())
	renewed := n.peers[3]
	renewed.node = n.enroll(renewed.org, "peer1", devnet.Peer)
	renewed.start()
	n.add(added, 0).start()
	time.Sleep(meeting)
	n.order(40, 2<<10, 10*time.Millisecond)
	n.requireAll(5*time.Second, n.peers[0], n.peers[2], n.peers[3], n.peers[4])
	return n
}

// TestLateJoiner: a peer that knows the genesis block alone, and one neighbour whose organization or CA that block does not
// know, pulls its way up: blocks prove themselves. Then it takes part.
func TestLateJoiner(t *testing.T) {
	for _, c := range []struct {
		name      string
		neighbour int
		org       int // of the joiner
	}{
		{"whose neighbour's CA is new", 3, 0},
		{"whose neighbour's organization is new", 4, 0},
		{"whose own organization is new", 0, 2},
		{"whose own organization is new, and the neighbour's CA", 3, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := grown(t)
				joiner := n.add(n.orgs[c.org], 7)
				joiner.from = []int{c.neighbour}
				joiner.start()
				took := n.requireAll(10*time.Second, joiner)
				t.Logf("caught up %s after its start", took)

				time.Sleep(meeting)
				all := []*testPeer{n.peers[0], n.peers[2], n.peers[3], n.peers[4], joiner}
				n.order(5, 2<<10, 10*time.Millisecond)
				n.requireAll(time.Second, all...)
				n.requireMembers(all...)
			})
		})
	}
}

// TestLateJoinersBehindEachOther: a late joiner whose only neighbour, of an organization that the genesis block does not know,
// is as late, and is itself kept waiting. What the neighbour says on topics is not heard until its organization is known.
func TestLateJoinersBehindEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := grown(t)
		neighbour, joiner := n.peers[4], n.add(n.orgs[0], 7)
		neighbour.stop()
		neighbour.dir = t.TempDir() // it has lost everything
		joiner.from = []int{neighbour.number}
		for _, p := range n.peers[:4] {
			n.Cut(p.number)
		}
		neighbour.start()
		joiner.start()
		time.Sleep(time.Minute)
		require.EqualValues(t, 1, neighbour.channel.Height())
		for _, p := range n.peers[:4] {
			n.Mend(p.number)
		}
		t.Logf("both caught up in %s", n.requireAll(2*time.Minute, neighbour, joiner))
	})
}
