// SPDX-License-Identifier: Apache-2.0

// Package grid says who is to be connected to whom in a network that is too large for everybody to be connected to everybody.
//
// Members stand in rows. Which row a member is in follows from its peer ID and the number of rows alone, so that it depends on
// nobody else's view. A member's neighbours are all of its row, and its partners in each other row, mostly two: if the
// members of each row, sorted, had an equal part each of a line of one length, partners are those whose parts overlap.
//
//	row 0   a - b - c - d      every member of a row knows all of it
//	        |   |   |   |
//	row 1   e - f - g - h      and a partner in every other row
//
// So everybody is two steps from everybody, every row is reached from every member, and connections are shared evenly: about
// three times the square root of the number of members. Whoever joins or leaves moves the places in one row by one: most
// members see none or one partner replaced. Everything is a pure function of the view; views that differ by some members differ by some
// partners.
package grid

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// firstSplit is from how many members on there are two rows. Four times as many members have twice as many rows, so that a row
	// is 1.5 to 6 times as long as there are rows: whoever spreads a piece sends it to its row and to one of each other row,
	// and others to their row only, which is as much work where rows are long.
	firstSplit = 6
	// MaxBits bounds the number of rows: there are 2^bits at most.
	MaxBits = 15
	// margin is by which part a view may differ from another that has the next number of rows: so near to it, members keep the
	// neighbours of both.
	margin = 10
)

// Bits is how many bits of its point say in which row a member is, when there are n members.
func Bits(n int) (bits int) {
	for split := firstSplit; n >= split && bits < MaxBits; split *= 4 {
		bits++
	}
	return bits
}

// Point is where a member stands: the beginning of SHA-256 over its peer ID.
func Point(id peer.ID) uint64 {
	sum := sha256.Sum256([]byte(id))
	return binary.BigEndian.Uint64(sum[:])
}

// Row is the row of a point.
func Row(point uint64, bits int) int { return int(point >> (64 - bits)) }

// Grid is a view of a network. It does not change.
type Grid struct{ all []spot } // by point

// spot is a member and its point.
type spot struct {
	point uint64
	id    peer.ID
}

func compare(a, b spot) int { return cmp.Or(cmp.Compare(a.point, b.point), cmp.Compare(a.id, b.id)) }

// New makes the grid of a network. Members that are named twice count once.
func New(members ...peer.ID) *Grid {
	g := &Grid{all: make([]spot, 0, len(members))}
	for _, id := range members {
		g.all = append(g.all, spot{Point(id), id})
	}
	slices.SortFunc(g.all, compare)
	g.all = slices.Compact(g.all)
	return g
}

// Neighbours are the members that a member is to be connected to; nobody, if it is not in the view.
func (g *Grid) Neighbours(self peer.ID) map[peer.ID]struct{} {
	set, n := map[peer.ID]struct{}{}, len(g.all)
	for bits := Bits(n - n/margin); bits <= Bits(n+n/margin); bits++ {
		g.around(self, bits, set)
	}
	return set
}

// around adds the neighbours of a member, with so many bits.
func (g *Grid) around(self peer.ID, bits int, set map[peer.ID]struct{}) {
	me := spot{Point(self), self}
	own := Row(me.point, bits)
	mine := g.row(own, bits)
	place, here := slices.BinarySearchFunc(mine, me, compare)
	if !here {
		return
	}
	for _, s := range mine {
		if s.id != self {
			set[s.id] = struct{}{}
		}
	}
	for r := range 1 << bits {
		if other := g.row(r, bits); r != own && len(other) > 0 {
			for i := Partner(place, len(mine), len(other), 0); i*len(mine) < (place+1)*len(other); i++ {
				set[other[i].id] = struct{}{}
			}
		}
	}
}

// row is who is in a row.
func (g *Grid) row(r, bits int) []spot {
	from, _ := slices.BinarySearchFunc(g.all, r, func(s spot, r int) int { return Row(s.point, bits) - r })
	to, _ := slices.BinarySearchFunc(g.all, r+1, func(s spot, r int) int { return Row(s.point, bits) - r })
	return g.all[from:to]
}

// Partner is the place in a row of n of who stands beside a place in a row of m, when both rows are as long as each other and each
// place has an equal part of its row: at the beginning of that part for an x of 0, and towards its end for an x towards 1.
func Partner(place, m, n int, x float64) int {
	if x == 0 {
		return place * n / m
	}
	return min(n-1, int((float64(place)+x)*float64(n)/float64(m)))
}
