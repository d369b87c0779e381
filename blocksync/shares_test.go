// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/internal/fair"
)

// of charges a candidate to an identity of an organization.
func of(c blocksync.Candidate, org, identity int) blocksync.Candidate {
	c.Owner = fair.Owner{Org: fmt.Sprint("org", org), Identity: fmt.Sprint("identity", identity)}
	return c
}

func parked(c blocksync.Candidate) blocksync.Candidate {
	c.Parked = true
	return c
}

// TestBufferSharesOfManyHostKeys: a thousand host keys of one identity get its share, the members of one organization theirs.
func TestBufferSharesOfManyHostKeys(t *testing.T) {
	b := blocksync.NewBuffer(1)
	for i := range 1000 {
		from := peer.ID(fmt.Sprint("key", i))
		b.Add(of(candidate(uint64(2+i%200), from, blocksync.MaxBuffered/100), 1, 1))
	}
	all, _ := b.Bytes("")
	require.LessOrEqual(t, all, quarter)
	require.Greater(t, all, quarter-blocksync.MaxBuffered/50)
	for i := range 1000 {
		b.Add(of(candidate(uint64(2+i%200), peer.ID(fmt.Sprint("member", i)), blocksync.MaxBuffered/100), 1, 2+i))
	}
	all, _ = b.Bytes("")
	require.LessOrEqual(t, all, blocksync.MaxBuffered/2)
	for number := range uint64(20) {
		require.Equal(t, blocksync.Stored, b.Add(of(candidate(number+201, "honest", quarter/20), 2, 0)), "number %d", number)
	}
}

// TestParkedBlocksGiveWay: what nobody asked for takes a bounded part, is no reason not to ask, and gives way.
func TestParkedBlocksGiveWay(t *testing.T) {
	b := blocksync.NewBuffer(1)
	size := blocksync.MaxParked / 100
	for i := range 1000 {
		for org := range 3 {
			b.Add(parked(of(candidate(uint64(2+i%200), peer.ID(fmt.Sprint("liar", org, i)), size), org, i)))
		}
	}
	all, _ := b.Bytes("")
	require.LessOrEqual(t, all, blocksync.MaxParked)
	require.Greater(t, all, blocksync.MaxParked/2)
	require.False(t, b.Has(5), "a reason to ask for it")
	require.Len(t, b.At(5), blocksync.ParkedEach)

	for i := range blocksync.MaxCandidates {
		require.Equal(t, blocksync.Stored, b.Add(of(candidate(5, peer.ID(fmt.Sprint("asked", i)), size), 10+i, 0)))
	}
	require.True(t, b.Has(5))
	require.Len(t, b.At(5), blocksync.MaxCandidates)
	require.Equal(t, blocksync.Full, b.Add(of(candidate(5, "one more", size), 20, 0)))
	require.Equal(t, blocksync.Full, b.Add(parked(of(candidate(5, "late liar", 1), 21, 0))))
}

// TestAskedForReplacesParked: of one source, and of another host key of its identity.
func TestAskedForReplacesParked(t *testing.T) {
	b := blocksync.NewBuffer(1)
	require.Equal(t, blocksync.Stored, b.Add(parked(of(candidate(2, "a", 10), 1, 1))))
	require.Equal(t, blocksync.Repeated, b.Add(parked(of(candidate(2, "b", 10), 1, 1))))
	require.Equal(t, blocksync.Stored, b.Add(of(candidate(2, "b", 10), 1, 1)))
	require.True(t, b.Has(2))
	require.Equal(t, []peer.ID{"b"}, sources(b, 2))
	require.Equal(t, blocksync.Repeated, b.Add(of(candidate(2, "a", 10), 1, 1)))
	b.Forget("b")
	require.Zero(t, b.Len())
}

// TestForgetDropsTheIdentity: a forgery of one host key drops what all host keys of its identity have brought.
func TestForgetDropsTheIdentity(t *testing.T) {
	b := blocksync.NewBuffer(1)
	for i := range 10 {
		require.Equal(t, blocksync.Stored, b.Add(of(candidate(uint64(2+i), peer.ID(fmt.Sprint("key", i)), 10), 1, 1)))
	}
	require.Equal(t, blocksync.Stored, b.Add(of(candidate(2, "honest", 10), 1, 2)))
	b.Forget("key3")
	require.Equal(t, 1, b.Len())
	require.Equal(t, []peer.ID{"honest"}, sources(b, 2))
}

// TestPlannerChargesIdentities: another host key does not clear what an identity did, nor give it more requests.
func TestPlannerChargesIdentities(t *testing.T) {
	p := blocksync.NewPlanner(1, func(uint64) bool { return false })
	p.Charge(func(id peer.ID) fair.Owner {
		if id == "honest" {
			return fair.Owner{Org: "A", Identity: "honest"}
		}
		return fair.Owner{Org: "B", Identity: "one"}
	})
	for i := range 1000 {
		p.Have(start, peer.ID(fmt.Sprint("key", i)), 1<<63)
	}
	fetches, _ := p.Plan(start, false)
	require.Len(t, fetches, blocksync.FetchPerPeer, "of all host keys together")
	p.Done(start, fetches[0], blocksync.Result{Failed: true, Lied: true})
	p.Have(start, "new key", 1<<63)
	fetches, _ = p.Plan(start, false)
	require.Empty(t, fetches, "the identity is barred")
	p.Have(start, "honest", 100)
	fetches, _ = p.Plan(start, false)
	require.NotEmpty(t, fetches)
	require.Equal(t, peer.ID("honest"), fetches[0].Peer)

	for i := range 2 * blocksync.MaxHolders {
		p.Have(start, peer.ID(fmt.Sprint("flood", i)), 1<<63)
		require.LessOrEqual(t, p.Holders(), blocksync.MaxHolders)
	}
	p.Done(start, fetches[0], blocksync.Result{Got: 16, Height: 100})
	fetches, _ = p.Plan(start, false)
	require.Equal(t, peer.ID("honest"), fetches[0].Peer, "not pushed out")
}
