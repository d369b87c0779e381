// SPDX-License-Identifier: Apache-2.0

package leaves

import (
	"crypto/sha256"
	"fmt"
)

// MaxProof is the longest proof that anybody needs to send, in bytes: two siblings on each level of the tallest tree.
const MaxProof = 2 * 17 * HashSize

// Prove appends the proof of the leaves first to first+count-1: the hashes beside the way up to the crown, from below, the
// left one first. It reports false if they are not all known, or there are no such leaves.
func (t *Tree) Prove(dst []byte, first, count int) ([]byte, bool) {
	return t.prove(dst, first, count, t.crown())
}

// ProveToRoot is Prove for who may not have the crown.
func (t *Tree) ProveToRoot(dst []byte, first, count int) ([]byte, bool) {
	return t.prove(dst, first, count, height(t.count))
}

// prove appends the hashes beside the way up to a level.
func (t *Tree) prove(dst []byte, first, count, top int) ([]byte, bool) {
	if t.Leaf(first, count) < 0 {
		return dst, false
	}
	lo, hi := first, first+count-1
	for level := range top {
		if l := lo ^ 1; l < lo {
			if !t.knows(level, l) {
				return dst, false
			}
			dst = append(dst, t.at(level, l)[:]...)
		}
		if r := hi ^ 1; r > hi && r < width(t.count, level) {
			if !t.knows(level, r) {
				return dst, false
			}
			dst = append(dst, t.at(level, r)[:]...)
		}
		lo, hi = lo>>1, hi>>1
	}
	return dst, true
}

// Leaf is how many bytes the leaves first to first+count-1 have together; -1 if there are no such leaves.
func (t *Tree) Leaf(first, count int) int {
	if first < 0 || count < 1 || count > t.count || first > t.count-count {
		return -1
	}
	size := Size(t.body)
	return min((first+count)*size, t.body) - first*size
}

// Verify holds the leaves that begin with leaf first against the tree. A nil error says that data is what the body has
// there, and the tree knows all that the proof told. [ErrForged] says that it is not; [ErrEarly] that this cannot be told
// before the crown is here. A longer proof, up to the root, is good as well.
func (t *Tree) Verify(first, count int, data, proof []byte) error {
	if t.Leaf(first, count) != len(data) || len(proof)%HashSize != 0 || len(proof) > MaxProof {
		return fmt.Errorf("%w: %d bytes and a proof of %d for leaves %d to %d", ErrForged, len(data), len(proof), first, first+count-1)
	}
	c := climb{tree: t, lo: first, hi: first + count - 1, proof: proof, learnt: make([]run, 0, height(t.count)+1)}
	size := Size(t.body)
	c.row = make([]hash, count, count+2)
	for i := range c.row {
		c.top = leafHash(data[min(i*size, len(data)):min((i+1)*size, len(data))])
		c.row[i] = hash(c.top[:HashSize])
	}
	return c.run()
}

// climb is a verification on its way up.
type climb struct {
	tree   *Tree
	level  int
	lo, hi int
	row    []hash // of the nodes lo..hi
	top    [sha256.Size]byte
	proof  []byte
	learnt []run
}

// run is a run of hashes that are known if the climb succeeds. They are in their places already.
type run struct{ level, lo, n int }

func (c *climb) run() error {
	t := c.tree
	for ; c.level < height(t.count); c.level++ {
		if done, err := c.meets(); done {
			return err
		}
		if !c.widen() {
			return ErrEarly
		}
		c.up()
	}
	if c.top != t.root || len(c.proof) > 0 {
		return fmt.Errorf("%w: leaves do not lead to the root", ErrForged)
	}
	c.keep(c.lo, c.row)
	c.learn()
	return nil
}

// meets compares with what is known once the proof has been used up.
func (c *climb) meets() (done bool, err error) {
	if len(c.proof) > 0 {
		return false, nil
	}
	for i := c.lo; i <= c.hi; i++ {
		if !c.tree.knows(c.level, i) {
			return false, nil
		}
	}
	for i, h := range c.row {
		if *c.tree.at(c.level, c.lo+i) != h {
			return true, fmt.Errorf("%w: leaves do not lead to what is known of level %d", ErrForged, c.level)
		}
	}
	c.learn()
	return true, nil
}

// widen takes the hashes beside the row, out of the proof or, when that is used up, of what is known.
func (c *climb) widen() bool {
	if l := c.lo ^ 1; l < c.lo {
		h, ok := c.next(l)
		if !ok {
			return false
		}
		c.row = append(c.row, hash{})
		copy(c.row[1:], c.row)
		c.row[0], c.lo = h, l
	}
	if r := c.hi ^ 1; r > c.hi && r < width(c.tree.count, c.level) {
		h, ok := c.next(r)
		if !ok {
			return false
		}
		c.row, c.hi = append(c.row, h), r
	}
	c.keep(c.lo, c.row)
	return true
}

func (c *climb) next(i int) (h hash, ok bool) {
	if len(c.proof) == 0 {
		return *c.tree.at(c.level, i), c.tree.knows(c.level, i)
	}
	copy(h[:], c.proof)
	c.proof = c.proof[HashSize:]
	return h, true
}

// up folds the row into the one above it.
func (c *climb) up() {
	n := 0
	for i := 0; i < len(c.row); i += 2 {
		h := c.row[i]
		if i+1 < len(c.row) {
			c.top = nodeHash(h, c.row[i+1])
			h = hash(c.top[:HashSize])
		}
		c.row[n] = h
		n++
	}
	c.row, c.lo, c.hi = c.row[:n], c.lo>>1, c.hi>>1
}

// keep puts a row in its place, but for what is known.
func (c *climb) keep(lo int, row []hash) {
	for i, h := range row {
		if !c.tree.knows(c.level, lo+i) {
			*c.tree.at(c.level, lo+i) = h
		}
	}
	c.learnt = append(c.learnt, run{c.level, lo, len(row)})
}

// learn makes known what the climb has proved.
func (c *climb) learn() {
	for _, l := range c.learnt {
		for i := range l.n {
			c.tree.known[c.tree.start[l.level]+l.lo+i] = true
		}
	}
}
