// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/leader"
)

// TestClaimedHeightsMoveNoLeader: a leader does not give way to a height that is not known to exist, nor to growing ones.
func TestClaimedHeightsMoveNoLeader(t *testing.T) {
	e, err := leader.NewElection(leader.Timing{})
	require.NoError(t, err)
	now := epoch
	in := leader.Input{Self: "a", Height: 100, Highest: 100, CanPull: true}
	for !e.Step(now, in).Lead {
		now = now.Add(time.Second)
		require.Less(t, now.Sub(epoch), time.Minute)
	}
	for range 20 { // a lead that is not new
		now = now.Add(time.Second)
		require.True(t, e.Step(now, in).Lead)
	}
	for i := range 600 {
		now = now.Add(time.Second)
		in.Peers = nil
		for p := range 4 { // all claim to lead, and more with every heartbeat
			in.Peers = append(in.Peers, leader.Candidate{ID: peer.ID(fmt.Sprint("b", p)), Height: 1<<63 + uint64(i), Leads: true, LastSeen: now})
		}
		in.Height, in.Highest = in.Height+1, in.Highest+1
		require.True(t, e.Step(now, in).Lead, "after %d s", i)
	}
}

// TestClaimedHeightsDelayNoElection: candidates that claim 2^63 and never lead cost the wait for each, and no more.
func TestClaimedHeightsDelayNoElection(t *testing.T) {
	e, err := leader.NewElection(leader.Timing{})
	require.NoError(t, err)
	now := epoch
	in := leader.Input{Self: "b", Height: 100, Highest: 100, CanPull: true}
	for {
		in.Peers = nil
		for p := range 4 {
			in.Peers = append(in.Peers, leader.Candidate{ID: peer.ID(fmt.Sprint("a", p)), Height: 1<<63 + uint64(now.Unix()), LastSeen: now})
		}
		if e.Step(now, in).Lead {
			break
		}
		now = now.Add(100 * time.Millisecond)
		require.LessOrEqual(t, now.Sub(epoch), 4*leader.DefaultTiming().LeaderElectionDuration+2*time.Second)
	}
}

// TestSightsAreBounded: members that come and go under ever new host keys are forgotten.
func TestSightsAreBounded(t *testing.T) {
	e, err := leader.NewElection(leader.Timing{})
	require.NoError(t, err)
	now := epoch
	for i := range 5000 {
		now = now.Add(10 * time.Millisecond)
		e.Step(now, leader.Input{Self: "a", CanPull: true, Peers: []leader.Candidate{
			{ID: "steady", LastSeen: now}, {ID: peer.ID(fmt.Sprint(i)), Leads: i%2 == 0, LastSeen: now},
		}})
		require.LessOrEqual(t, leader.Sights(e), leader.MaxSights+3)
	}
}
