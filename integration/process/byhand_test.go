// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The processes, in the order of the page.
const (
	theOrderer = iota
	org1Peer0
	org1Peer1
	org2Peer0
)

// TestANetworkByHand runs the page's commands, and then does to the processes what the page says can be done to them.
func TestANetworkByHand(t *testing.T) {
	n := byHand(t)
	require.Len(t, n.running, 4)
	n.reachAll(101)
	require.Equal(t, status{State: "running", Height: 101}, n.status(org2Peer0))

	t.Log("the same peer and the same ordering service a second time")
	require.Contains(t, fail(t, n.dir, n.running[org1Peer1].command), "the data directory is in use by another process")
	require.Contains(t, fail(t, n.dir, n.running[theOrderer].command), "directory is in use")

	t.Log("kill -9 of each peer of an organization while blocks flow: one of them is its leader")
	n.restart(theOrderer, (*process).terminate, n.ordering(300, 50))
	n.reach(org1Peer1, 130)
	n.running[org1Peer1].kill(t)
	n.reach(org1Peer0, 160)
	n.resume(org1Peer1)
	n.reach(org1Peer1, 190)
	n.running[org1Peer0].kill(t)
	n.reach(org1Peer1, 220)
	n.resume(org1Peer0)
	n.reachAll(301)

	t.Log("kill -9 of the ordering service while blocks flow")
	n.restart(theOrderer, (*process).terminate, n.ordering(400, 50))
	n.reach(org2Peer0, 330)
	n.restart(theOrderer, (*process).kill)
	head := n.reachAll(401)

	t.Log("SIGTERM ends everybody; what a peer had committed is there when it is killed and comes back alone")
	for _, i := range []int{theOrderer, org1Peer0, org1Peer1} {
		n.running[i].terminate(t)
	}
	n.restart(org2Peer0, (*process).kill)
	require.Equal(t, head, n.reach(org2Peer0, 401))
	n.running[org2Peer0].terminate(t)
}
