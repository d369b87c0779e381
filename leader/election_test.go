// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/leader"
)

func TestTiming(t *testing.T) {
	require.NoError(t, leader.Timing{}.Validate(), "zero is the default")
	require.NoError(t, leader.DefaultTiming().Validate())
	for name, c := range map[string]struct {
		change func(*leader.Timing)
		key    string
	}{
		"negative grace":     {func(t *leader.Timing) { t.StartupGracePeriod = -1 }, "peer.gossip.election.startupGracePeriod"},
		"negative sample":    {func(t *leader.Timing) { t.MembershipSampleInterval = -1 }, "peer.gossip.election.membershipSampleInterval"},
		"negative threshold": {func(t *leader.Timing) { t.LeaderAliveThreshold = -1 }, "peer.gossip.election.leaderAliveThreshold"},
		"endless threshold":  {func(t *leader.Timing) { t.LeaderAliveThreshold = 25 * time.Hour }, "peer.gossip.election.leaderAliveThreshold"},
		"negative duration":  {func(t *leader.Timing) { t.LeaderElectionDuration = -1 }, "peer.gossip.election.leaderElectionDuration"},
		"negative settle":    {func(t *leader.Timing) { t.Settle = -1 }, "weft.election.settle"},
		"settle above grace": {func(t *leader.Timing) { t.Settle = 16 * time.Second }, "peer.gossip.election.startupGracePeriod"},
		"negative turn":      {func(t *leader.Timing) { t.Turn = -1 }, "weft.election.turn"},
		"beat too often":     {func(t *leader.Timing) { t.LeaderBeat = 399 * time.Millisecond }, "weft.election.leaderBeat"},
		"endless beat":       {func(t *leader.Timing) { t.LeaderBeat = 25 * time.Hour }, "weft.election.leaderBeat"},
		"negative pullers":   {func(t *leader.Timing) { t.Pullers = -1 }, "weft.election.pullers"},
		"many pullers":       {func(t *leader.Timing) { t.Pullers = 17 }, "weft.election.pullers"},
		"negative lag time":  {func(t *leader.Timing) { t.MaxLagTime = -1 }, "weft.election.maxLagTime"},
		"endless lag":        {func(t *leader.Timing) { t.MaxLag = 1 << 33 }, "weft.election.maxLag"},
	} {
		t.Run(name, func(t *testing.T) {
			timing := leader.DefaultTiming()
			c.change(&timing)
			require.ErrorContains(t, timing.Validate(), c.key)
			_, err := leader.NewElection(timing)
			require.Error(t, err)
		})
	}
}

// Ourselves and repetitions in the view, heights and times at the ends of their ranges: nothing breaks, and the first word counts.
func TestElectionOddInput(t *testing.T) {
	e, err := leader.NewElection(leader.Timing{})
	require.NoError(t, err)
	now := epoch.Add(time.Hour)
	in := leader.Input{Self: "b", CanPull: true, Highest: 1<<64 - 1, Peers: []leader.Candidate{
		{ID: "b", Leads: true, LastSeen: now},
		{ID: "c", LastSeen: now, Height: 1<<64 - 1},
		{ID: "c", LastSeen: now, Leads: true},
		{ID: "", LastSeen: now},
		{ID: "d", Leads: true},
	}}
	d := e.Step(now, in)
	require.Equal(t, leader.Settling, d.Reason)
	require.Equal(t, d, e.Step(now.Add(-time.Minute), in), "time does not go back")
	d = e.Step(now.Add(time.Second), in)
	require.Equal(t, leader.Waiting, d.Reason, "c is far ahead")
	in.Peers = nil
	d = e.Step(now.Add(2*time.Second), in)
	require.True(t, d.Lead)
	require.Equal(t, peer.ID("b"), d.Leader)
}

// Whatever comes: a decision agrees with itself, wakes us in the future, and is the same in whatever order the members are listed, and when it
// is asked for twice.
func TestElectionProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timing := leader.Timing{Pullers: rapid.IntRange(1, 3).Draw(t, "pullers")}
		one, err := leader.NewElection(timing)
		require.NoError(t, err)
		other, _ := leader.NewElection(timing)
		now, looking := epoch, false
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(8*time.Second)).Draw(t, "pause")))
			in := drawInput(t, now)
			if rapid.IntRange(0, 20).Draw(t, "yield") == 0 {
				one.Yield(now)
				other.Yield(now)
			}
			if looking && rapid.IntRange(0, 3).Draw(t, "looked") == 0 {
				found := leader.Finding(rapid.IntRange(0, 3).Draw(t, "finding"))
				one.Looked(now, found)
				other.Looked(now, found)
				looking = false
			}
			d := one.Step(now, in)
			require.False(t, d.Look && (looking || d.Lead), "one look at a time, and none of a leader")
			looking = looking || d.Look
			require.Equal(t, d.Lead, d.Leader == in.Self)
			require.True(t, d.Wake.IsZero() || d.Wake.After(now), "wake %v at %v", d.Wake, now)
			require.NotEmpty(t, d.Reason)
			require.True(t, d.Lead || !d.First)
			if d.Leader == "" {
				require.False(t, d.Wake.IsZero(), "somebody has to lead some day")
			}
			in.Peers = rapid.Permutation(in.Peers).Draw(t, "order")
			require.Equal(t, d, other.Step(now, in))
			again := other.Step(now, in)
			require.False(t, again.Look)
			require.Equal(t, d.Lead, again.Lead)
			require.Equal(t, d.Leader, again.Leader)
			one.Step(now, in)
		}
	})
}

func drawInput(t *rapid.T, now time.Time) leader.Input {
	height := rapid.Uint64Range(0, 1000)
	in := leader.Input{
		Self: "3", Height: height.Draw(t, "height"), Highest: height.Draw(t, "highest"),
		CanPull: rapid.IntRange(0, 3).Draw(t, "can pull") > 0, Joining: rapid.IntRange(0, 5).Draw(t, "joining") == 0,
		Moved: now.Add(-time.Duration(rapid.Int64Range(0, int64(5*time.Minute)).Draw(t, "quiet"))), Head: []byte{rapid.Byte().Draw(t, "head")},
		Org: "org", Orgs: rapid.SampledFrom([][]string{nil, {"a"}, {"a", "z"}}).Draw(t, "organizations"),
	}
	for id := range 6 {
		if id == 3 || rapid.IntRange(0, 3).Draw(t, "absent") == 0 {
			continue
		}
		in.Peers = append(in.Peers, leader.Candidate{
			ID: peer.ID(fmt.Sprint(id)), Height: height.Draw(t, "height"), Leads: rapid.IntRange(0, 3).Draw(t, "leads") == 0,
			Near: rapid.Bool().Draw(t, "near"), Identity: rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "identity"),
			LastSeen: now.Add(-time.Duration(rapid.Int64Range(0, int64(12*time.Second)).Draw(t, "age"))),
		})
	}
	return in
}

// Nobody leads and we stand alone with everybody gone: stepping at every wake leads in the end, whatever happened before.
func TestElectionNeverStarves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, err := leader.NewElection(leader.Timing{})
		require.NoError(t, err)
		now := epoch
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(8*time.Second)).Draw(t, "pause")))
			e.Step(now, drawInput(t, now))
		}
		e.Yield(now)
		in := leader.Input{Self: "3", CanPull: true}
		d := e.Step(now, in)
		for range 20 {
			if d.Lead {
				break
			}
			now = d.Wake
			d = e.Step(now, in)
		}
		require.True(t, d.Lead)
	})
}

func BenchmarkStep(b *testing.B) {
	e, err := leader.NewElection(leader.Timing{})
	require.NoError(b, err)
	in := leader.Input{Self: "0000", CanPull: true}
	for id := range 100 {
		in.Peers = append(in.Peers, leader.Candidate{ID: peer.ID(fmt.Sprintf("%04d", id+1)), LastSeen: epoch, Leads: id == 50})
	}
	for b.Loop() {
		e.Step(epoch, in)
	}
}
