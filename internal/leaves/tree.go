// SPDX-License-Identifier: Apache-2.0

package leaves

import (
	"crypto/sha256"
	"errors"
	"fmt"
)

// Errors of proofs and crowns.
var (
	// ErrForged: the hashes lead to another tree.
	ErrForged = errors.New("leaves: not of this tree")
	// ErrEarly: a proof ends below what is known of the tree; with the crown it can be judged.
	ErrEarly = errors.New("leaves: proof ends at unknown hashes")
)

// Tree is what is known of the tree of one body: its size, its root, and some of the hashes below. Not for concurrent use,
// except that a tree out of [Build] may be read by many.
type Tree struct {
	body  int // bytes
	count int // leaves
	root  [sha256.Size]byte
	start []int // of each level in nodes
	nodes []hash
	known []bool
}

// NewTree is the tree of a body of the given size of which only the root is known.
func NewTree(body int, root [sha256.Size]byte) *Tree {
	t := newTree(body)
	t.root = root
	return t
}

// Build is the whole tree of body.
func Build(body []byte) *Tree {
	t, size := newTree(len(body)), Size(len(body))
	for i := range t.count {
		sum := leafHash(body[min(i*size, len(body)):min((i+1)*size, len(body))])
		t.root = sum
		t.set(0, i, hash(sum[:HashSize]))
	}
	for level := 1; level <= height(t.count); level++ {
		for i := range width(t.count, level) {
			t.fold(level, i)
		}
	}
	return t
}

// fold computes a node out of those below it. The topmost is the last one, and its whole hash is the root.
func (t *Tree) fold(level, i int) {
	if 2*i+1 == width(t.count, level-1) { // an odd last node moves up as it is
		t.set(level, i, *t.at(level-1, 2*i))
		return
	}
	sum := nodeHash(*t.at(level-1, 2*i), *t.at(level-1, 2*i+1))
	t.root = sum
	t.set(level, i, hash(sum[:HashSize]))
}

func newTree(body int) *Tree {
	t := &Tree{body: body, count: Count(body)}
	total := 0
	for level := range height(t.count) + 1 {
		t.start = append(t.start, total)
		total += width(t.count, level)
	}
	t.nodes, t.known = make([]hash, total), make([]bool, total)
	return t
}

func (t *Tree) at(level, i int) *hash { return &t.nodes[t.start[level]+i] }

func (t *Tree) knows(level, i int) bool { return t.known[t.start[level]+i] }

func (t *Tree) set(level, i int, h hash) {
	*t.at(level, i) = h
	t.known[t.start[level]+i] = true
}

// Root is the root of the tree.
func (t *Tree) Root() [sha256.Size]byte { return t.root }

// Count is how many leaves the tree has.
func (t *Tree) Count() int { return t.count }

// Body is the size of the body, in bytes.
func (t *Tree) Body() int { return t.body }

// CrownMax is how many hashes a crown has at most. It goes to every member once, and spares every piece the hashes above
// it: at 1 MiB in pieces of 4 KiB it is 1 KiB in place of 24 KiB.
const CrownMax = 64

// crown is the level of the crown: the lowest with at most CrownMax hashes.
func (t *Tree) crown() (level int) {
	for width(t.count, level) > CrownMax {
		level++
	}
	return level
}

// Crown appends the hashes of the crown. It reports false if they are not all known.
func (t *Tree) Crown(dst []byte) ([]byte, bool) {
	level := t.crown()
	for i := range width(t.count, level) {
		if !t.knows(level, i) {
			return dst, false
		}
		dst = append(dst, t.at(level, i)[:]...)
	}
	return dst, true
}

// HasCrown says whether the crown is known.
func (t *Tree) HasCrown() bool {
	level := t.crown()
	for i := range width(t.count, level) {
		if !t.knows(level, i) {
			return false
		}
	}
	return true
}

// AddCrown adds a crown that somebody sent. It returns [ErrForged] if it is not that of this root.
func (t *Tree) AddCrown(crown []byte) error {
	level := t.crown()
	if len(crown) != HashSize*width(t.count, level) {
		return fmt.Errorf("%w: crown of %d bytes, %d leaves have one of %d", ErrForged, len(crown), t.count, HashSize*width(t.count, level))
	}
	if t.HasCrown() {
		return nil
	}
	row := make([]hash, len(crown)/HashSize)
	for i := range row {
		row[i] = hash(crown[i*HashSize:])
	}
	if t.count == 1 { // the crown is the beginning of the root
		if row[0] != hash(t.root[:HashSize]) {
			return fmt.Errorf("%w: crown", ErrForged)
		}
		t.set(0, 0, row[0])
		return nil
	}
	rows := [][]hash{row}
	var sum [sha256.Size]byte
	for len(row) > 1 {
		up := make([]hash, (len(row)+1)/2)
		for i := range up {
			if up[i] = row[2*i]; 2*i+1 < len(row) {
				sum = nodeHash(row[2*i], row[2*i+1])
				up[i] = hash(sum[:HashSize])
			}
		}
		row = up
		rows = append(rows, row)
	}
	if sum != t.root {
		return fmt.Errorf("%w: crown", ErrForged)
	}
	for i, row := range rows {
		for k, h := range row {
			t.set(level+i, k, h)
		}
	}
	return nil
}
