// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestHeartbeatsAmongOurselves: members of one organization that hear each other on its topic say little on that of a channel, and go on to
// see each other as visible members; as soon as somebody of another organization is there, they say as much as on the other.
func TestHeartbeatsAmongOurselves(t *testing.T) {
	const over = 4 * time.Minute
	for name, c := range map[string]struct {
		orgs, peers, least, most int // heartbeats
	}{
		"one organization":  {1, 4, 54, 66},
		"two organizations": {2, 2, 90, 102},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNet(t, lan, c.orgs, c.peers)
				n.startAll()
				time.Sleep(time.Minute)
				follower := n.peers[1]
				before := n.sequence(follower)
				for end := time.Now().Add(over); time.Now().Before(end); time.Sleep(time.Second) {
					for _, m := range n.peers[0].channel.Members() {
						require.True(t, m.Alive && m.Visible, "%+v", m)
					}
				}
				said := n.sequence(follower) - before
				require.GreaterOrEqual(t, said, c.least)
				require.LessOrEqual(t, said, c.most)
			})
		})
	}
}

// sequence is that of the latest heartbeat of a peer that the first one heard.
func (n *testNet) sequence(p *testPeer) int {
	for _, m := range n.peers[0].channel.Members() {
		if m.ID == p.host.ID() {
			return int(m.Sequence)
		}
	}
	require.Fail(n.t, "not a member", "peer %d", p.number)
	return 0
}
