// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader"
)

// TestWhoIsBarredDoesNotLeadEvenAlone: it steps down at once, follows whoever leads, and leads again when it may.
func TestWhoIsBarredDoesNotLeadEvenAlone(t *testing.T) {
	e, err := leader.NewElection(leader.Timing{})
	require.NoError(t, err)
	now, in := epoch, leader.Input{Self: "b", CanPull: true}
	until := func(lead bool) leader.Decision {
		for range 100 {
			d := e.Step(now, in)
			if d.Lead == lead {
				return d
			}
			now = d.Wake
		}
		require.Fail(t, "it does not come to that")
		return leader.Decision{}
	}
	until(true)
	in.Barred = true
	d := e.Step(now, in)
	require.False(t, d.Lead)
	require.Equal(t, leader.Barred, d.Reason)
	for range 10 {
		now = now.Add(time.Minute)
		require.False(t, e.Step(now, in).Lead)
	}
	in.Peers = []leader.Candidate{{ID: "c", Leads: true, LastSeen: now}}
	require.EqualValues(t, "c", e.Step(now, in).Leader)
	in.Peers, in.Barred = nil, false
	until(true)
}
