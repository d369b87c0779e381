// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
)

var began = time.Unix(1000, 0)

// asking makes a planner with peers that claim a height, none of which it has; Plan has asked some of them.
func asking(peers int, height uint64) *Planner {
	p := NewPlanner(1, func(uint64) bool { return false })
	for i := range peers {
		p.Have(began, peer.ID(fmt.Sprint("peer", i)), height)
	}
	return p
}

// asks says whether a planner makes a request at a time.
func asks(p *Planner, at time.Duration, streaming bool) bool {
	fetches, _ := p.Plan(began.Add(at), streaming)
	return len(fetches) > 0
}

// TestPlannerAtItsLimits: nothing is asked a moment before the table says, and something at that moment.
func TestPlannerAtItsLimits(t *testing.T) {
	for name, c := range map[string]struct {
		planner   *Planner
		streaming bool
		before    func(p *Planner)
		due       time.Duration
	}{
		"sourceGrace": {asking(1, 2), true, func(*Planner) {}, sourceGrace},
		"hedgeMin":    {asking(2, 2), false, func(p *Planner) { asks(p, 0, false) }, hedgeMin},
		"hedgeMax": {asking(9, 2), false, func(p *Planner) {
			for i := range 5 { // who has failed is waited for; who is better than those who were asked is asked at once
				p.Lied(began, peer.ID(fmt.Sprint("peer", i)))
			}
			for _, at := range []time.Duration{0, 2, 6, 14} { // after 2, 4 and 8 s
				asks(p, at*time.Second, false)
			}
		}, 14*time.Second + hedgeMax},
		"penaltyMin": {asking(1, 2), false, func(p *Planner) { failed(p, 1) }, penaltyMin},
		"lieFailures": {asking(1, 2), false, func(p *Planner) {
			p.Lied(began, "peer0")
		}, penaltyMin << (lieFailures - 1)},
		"penaltyMax": {asking(1, 2), false, func(p *Planner) {
			for range 4 {
				p.Lied(began, "peer0")
			}
			p.Have(began, "peer0", 2) // a new claim
		}, penaltyMax},
	} {
		t.Run(name, func(t *testing.T) {
			c.before(c.planner)
			require.False(t, asks(c.planner, c.due-1, c.streaming))
			require.True(t, asks(c.planner, c.due, c.streaming))
		})
	}
}

// failed has the one peer of a planner fail so often, at once.
func failed(p *Planner, times int) {
	for range times {
		fetches, _ := p.Plan(began, false)
		p.Done(began, fetches[0], Result{Failed: true})
		p.account("peer0").barred = time.Time{}
	}
	p.account("peer0").fail(began, 0)
}

func TestPlannerGivesUp(t *testing.T) {
	p := asking(1, 2)
	failed(p, giveUp-1)
	require.EqualValues(t, 2, p.Highest())
	p.account("peer0").barred = time.Time{}
	fetches, _ := p.Plan(began, false)
	p.Done(began, fetches[0], Result{Failed: true})
	require.Zero(t, p.Highest(), "its claim is forgotten")
}

// TestRequestsAtTheirLimits: of many missing blocks, as many are asked for as the table says, and no more.
func TestRequestsAtTheirLimits(t *testing.T) {
	p := asking(100, 10*Window)
	fetches, _ := p.Plan(began, false)
	require.Len(t, fetches, fetchParallel)
	for _, f := range fetches {
		require.EqualValues(t, fetchBlocks, f.To-f.From+1)
	}
	for at := hedgeMin; at < 10*time.Minute; at += hedgeMin {
		p.Plan(began.Add(at), false)
	}
	require.Len(t, p.flights, fetchParallel+fetchUrgent)
	require.Len(t, p.asked(p.next), 1+fetchUrgent)

	p = asking(1, 10*Window)
	fetches, _ = p.Plan(began, false)
	require.Len(t, fetches, fetchPerPeer)
}

// TestFanOut: as many peers as that are asked at one time, twice each, but for the next block, which everything waits for.
func TestFanOut(t *testing.T) {
	for _, peers := range []int{1, 3, 20} {
		p := asking(100, 10*Window)
		p.FanOut(peers)
		fetches, _ := p.Plan(began, false)
		require.Len(t, fetches, min(fetchPerPeer*peers, Window/fetchBlocks))
		p.Plan(began.Add(hedgeMin), false)
		require.Len(t, p.asked(p.next), 2)
	}
	p := asking(100, 10*Window)
	p.FanOut(fetchParallel / fetchPerPeer)
	fetches, _ := p.Plan(began, false)
	require.Len(t, fetches, fetchParallel, "the default")
}

func TestStallsDecay(t *testing.T) {
	var a account
	a.stall(began)
	require.Equal(t, 1, a.blame(began.Add(stallDecay-1), 0))
	require.Zero(t, a.blame(began.Add(stallDecay), 0))
}

func TestPatienceFollowsMinRate(t *testing.T) {
	require.Equal(t, Protocol.Deadline, patience(0))
	require.Equal(t, Protocol.Deadline+time.Second, patience(minRate))
}
