// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft"
)

// TestBlocksComeFromOtherOrganizations: an organization of which nobody can reach the ordering service gets its blocks from
// the members of the others, and every peer says where its blocks come from and why it does not pull.
func TestBlocksComeFromOtherOrganizations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNet(t, lan, 2, 2)
		for _, p := range n.peers {
			p.start(elected())
		}
		time.Sleep(meeting)
		n.order(10, 2<<10, 100*time.Millisecond)
		n.requireAll(time.Second, n.peers...)
		for _, p := range n.peers {
			s := p.channel.Status()
			if s.Leads {
				require.Equal(t, weft.Intake{Last: weft.FromOrderer, Of: map[weft.Origin]int{weft.FromOrderer: 10}, Why: "leading"}, s.Intake)
				continue
			}
			require.Equal(t, "following the leader", s.Intake.Why)
			require.Equal(t, 10, s.Intake.Of[weft.FromOrganization]+s.Intake.Of[weft.FromOthers])
		}

		cut := n.peers[2:]
		for _, p := range cut {
			n.cutOff(p.number)
		}
		time.Sleep(time.Minute)
		for range 110 {
			n.order(1, 2<<10, 50*time.Millisecond)
		}
		n.requireAll(time.Second, n.peers...)
		for _, p := range cut {
			s := p.channel.Status()
			t.Logf("peer %d: %+v, source %s, %v", p.number, s.Intake, s.Source.State, s.Source.LastErr)
			require.Zero(t, s.Intake.Of[weft.FromOrderer])
			require.Positive(t, s.Intake.Of[weft.FromOthers])
			require.Equal(t, 100, s.Intake.Of[weft.FromOthers]+s.Intake.Of[weft.FromOrganization], "the latest ones alone")
			require.NotEmpty(t, s.Intake.Why)
			if s.Leads {
				require.ErrorContains(t, s.Source.LastErr, "out of reach")
			}
		}
	})
}
