// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync"
)

// TestPlannerIsSentOn: a busy peer that sends us to another one has not failed, unless it never does anything else.
func TestPlannerIsSentOn(t *testing.T) {
	now := time.Unix(1000, 0)
	p := blocksync.NewPlanner(5, func(uint64) bool { return false })
	p.Have(now, "busy", 6)
	next := func() blocksync.Fetch {
		fetches, _ := p.Plan(now, false)
		require.Len(t, fetches, 1)
		return fetches[0]
	}
	f := next()
	require.Equal(t, blocksync.Fetch{Peer: "busy", From: 5, To: 5}, f)
	p.Done(now, f, blocksync.Result{Height: 6, Elsewhere: "fresh"})
	p.Have(now, "fresh", 6)
	f = next()
	require.Equal(t, peer.ID("fresh"), f.Peer, "heard of last")
	p.Done(now, f, blocksync.Result{Failed: true})
	require.Equal(t, peer.ID("busy"), next().Peer, "not barred, the other one is")
}

func TestPlannerIsNotSentOnForEver(t *testing.T) {
	now := time.Unix(1000, 0)
	p := blocksync.NewPlanner(5, func(uint64) bool { return false })
	p.Have(now, "mean", 6)
	for range 4 {
		fetches, _ := p.Plan(now, false)
		require.Len(t, fetches, 1)
		p.Done(now, fetches[0], blocksync.Result{Height: 6, Elsewhere: "nobody"})
	}
	fetches, _ := p.Plan(now, false)
	require.Len(t, fetches, 1)
	p.Done(now, fetches[0], blocksync.Result{Height: 6, Elsewhere: "nobody"})
	fetches, again := p.Plan(now, false)
	require.Empty(t, fetches, "it counts as a failure now")
	require.True(t, again.After(now))
}
