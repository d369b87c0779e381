// SPDX-License-Identifier: Apache-2.0

package grid_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/internal/grid"
)

// network is who is whose neighbour, if all have the same view.
type network map[peer.ID]map[peer.ID]struct{}

func members(seed uint64, n int) (ids []peer.ID) {
	for i := range n {
		ids = append(ids, peer.ID(fmt.Sprintf("%d of %d", i, seed)))
	}
	return ids
}

func connect(ids []peer.ID) network {
	all, g := network{}, grid.New(ids...)
	for _, id := range ids {
		all[id] = g.Neighbours(id)
	}
	return all
}

// reach is how many of the living are reached from one of them, over others that live.
func (n network) reach(from peer.ID, lives func(peer.ID) bool) int {
	seen, next := map[peer.ID]bool{from: true}, []peer.ID{from}
	for len(next) > 0 {
		id := next[0]
		next = next[1:]
		for other := range n[id] {
			if lives(other) && !seen[other] {
				seen[other] = true
				next = append(next, other)
			}
		}
	}
	return len(seen)
}

// TestNeighbours: whatever the network, to be neighbours is mutual, nobody is its own, everybody knows all of its row and
// somebody in every other, and nobody has many more than others.
func TestNeighbours(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 140).Draw(t, "members")
		ids := members(rapid.Uint64().Draw(t, "seed"), n)
		all, bits := connect(ids), grid.Bits(n)
		for _, id := range ids {
			require.NotContains(t, all[id], id)
			rows := map[int]bool{}
			for other := range all[id] {
				require.Contains(t, all[other], id, "mutual")
				rows[grid.Row(grid.Point(other), bits)] = true
			}
			for _, other := range ids {
				if other == id {
					continue
				}
				row := grid.Row(grid.Point(other), bits)
				require.True(t, rows[row], "%s has nobody in row %d", id, row)
				if row == grid.Row(grid.Point(id), bits) {
					require.Contains(t, all[id], other)
				}
			}
		}
	})
}

// TestDegree: a member has about three times the square root of the members as neighbours; five times where the number of rows
// is about to change, since both grids hold then.
func TestDegree(t *testing.T) {
	for n, most := range map[int]float64{50: 3.5, 200: 3.5, 300: 3.8, 384: 6, 600: 3.5, 1000: 3.8} {
		ids, sum := members(7, n), 0
		g := grid.New(ids...)
		for i := 0; i < n; i += 5 {
			degree := len(g.Neighbours(ids[i]))
			sum += degree
			require.Less(t, float64(degree), most*math.Sqrt(float64(n)), "of %d", n)
		}
		require.Greater(t, float64(sum)/float64(n/5), 2*math.Sqrt(float64(n)))
	}
}

// TestAThirdRemoved: whoever a third of the members are that fail, the others are connected.
func TestAThirdRemoved(t *testing.T) {
	for _, n := range []int{30, 100, 300} {
		for seed := range uint64(5) {
			random := rand.New(rand.NewPCG(seed, 1))
			ids := members(seed, n)
			all, dead := connect(ids), map[peer.ID]bool{}
			for _, i := range random.Perm(n)[:n/3] {
				dead[ids[i]] = true
			}
			for _, id := range ids {
				if !dead[id] {
					require.Equal(t, n-n/3, all.reach(id, func(id peer.ID) bool { return !dead[id] }), "%d members, seed %d", n, seed)
					break
				}
			}
		}
	}
}

// TestOneRowRemoved: a row that fails leaves the others connected, and it has fewer members than a third.
func TestOneRowRemoved(t *testing.T) {
	ids := members(1, 300)
	all, bits := connect(ids), grid.Bits(300)
	lives := func(id peer.ID) bool { return grid.Row(grid.Point(id), bits) != 0 }
	living, from := 0, peer.ID("")
	for _, id := range ids {
		if lives(id) {
			living++
			from = id
		}
	}
	require.Greater(t, living, 200)
	require.Equal(t, living, all.reach(from, lives))
}

// TestFewChanges: when one joins, most have no other neighbours than before, but for the newcomer and partners in its row.
func TestFewChanges(t *testing.T) {
	const n = 300
	bits := grid.Bits(n)
	for seed := range uint64(3) {
		ids := members(seed, n+1)
		newcomer := ids[n]
		before, after := connect(ids[:n]), connect(ids)
		dropped, links := 0, 0
		for _, id := range ids[:n] {
			links += len(before[id])
			for other := range before[id] {
				if _, still := after[id][other]; !still {
					dropped++
					row := grid.Row(grid.Point(newcomer), bits)
					require.True(t, grid.Row(grid.Point(id), bits) == row || grid.Row(grid.Point(other), bits) == row, "only its own row moves")
				}
			}
		}
		require.Less(t, float64(dropped)/float64(links), 0.05, "of all connections")
		require.Less(t, float64(dropped)/n, 2.5, "for each member")
	}
}

// TestNumberOfRows: four times as many members have twice as many rows.
func TestNumberOfRows(t *testing.T) {
	for n, bits := range map[int]int{0: 0, 1: 0, 5: 0, 6: 1, 23: 1, 24: 2, 95: 2, 96: 3, 300: 3, 383: 3, 384: 4, 1000: 4, 1536: 5, math.MaxInt / 8: grid.MaxBits} {
		require.Equal(t, bits, grid.Bits(n), "%d members", n)
	}
}

// TestNearTheNextNumberOfRows: two whose views differ by so little that they count other numbers of rows agree who is to be
// connected.
func TestNearTheNextNumberOfRows(t *testing.T) {
	ids := members(3, 96)
	few, many := connect(ids[:95]), connect(ids)
	require.NotEqual(t, grid.Bits(95), grid.Bits(96))
	missing, links := 0, 0
	for _, id := range ids[:95] {
		links += len(many[id])
		for other := range many[id] {
			if _, too := few[id][other]; !too && other != ids[95] {
				missing++
			}
		}
	}
	require.Less(t, float64(missing)/float64(links), 0.15)
}
