// SPDX-License-Identifier: Apache-2.0

// Package parity adds shards to a body, so that any few of the others can be computed from those that came.
//
// A body is cut into shards of 1 KiB, the last one padded with zeros. Data and parity shards are dealt out to the same groups in
// turn, as few as possible, and each group is a Reed-Solomon code over GF(2^8) (Leopard-RS, github.com/klauspost/reedsolomon): as many
// shards of a group as it has of data make up all of it. Runs of shards, which travel together, so are lost by all groups
// alike. One code over GF(2^16) would need no groups, but takes 68 MB of tables, a second to make them, and fifteen times as
// long to decode (ADR 035). What the parity is follows from the body and the number of shards.
package parity

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/klauspost/reedsolomon"
)

// Shard is the size of a shard in bytes.
const Shard = 1 << 10

const (
	// MaxBody is the biggest body that may have parity, in bytes: up to there shards are leaves (package leaves), and to wait for
	// what was lost is much of the time that a body takes.
	MaxBody = 2 << 20
	// MaxShare is which part of the data shards there may be of parity at most.
	MaxShare = 4
	// field is how many shards the code of a group can tell apart.
	field = 256
)

// Errors of codes.
var (
	// ErrCode: there is no such code.
	ErrCode = errors.New("parity: no such code")
	// ErrShort: too much is missing.
	ErrShort = errors.New("parity: too much is missing")
)

// Shards is how many data shards a body of the given size has.
func Shards(size int) int { return (size + Shard - 1) / Shard }

// Code is the code of all bodies of one size with one number of parity shards.
type Code struct{ size, data, parity, groups int }

// New is the code of bodies of size bytes with so many parity shards. It returns [ErrCode] beyond the limits.
func New(size, parity int) (Code, error) {
	data := Shards(size)
	if size < 1 || size > MaxBody || parity < 1 || parity > data/MaxShare {
		return Code{}, fmt.Errorf("%w: %d shards for a body of %d bytes", ErrCode, parity, size)
	}
	c := Code{size, data, parity, 1}
	for over(data, c.groups)+1<<bits.Len(uint(over(parity, c.groups)-1)) > field { // Leopard rounds parity up to a power of two
		c.groups++
	}
	return c, nil
}

// Share is the least number of parity shards that are one part in so many of a body's data, and the same for each group; 0 if
// there is no such code.
func Share(size, part int) int {
	parity := over(Shards(size), part)
	c, err := New(size, parity)
	if err != nil {
		return 0
	}
	return min(over(parity, c.groups)*c.groups, c.data/MaxShare)
}

// over is a/b, rounded up.
func over(a, b int) int { return (a + b - 1) / b }

// dealt is how many of n shards a group has.
func (c Code) dealt(n, group int) int { return over(n-group, c.groups) }

// Encode returns the parity of a body, shard by shard.
func (c Code) Encode(body []byte) ([]byte, error) {
	if len(body) != c.size {
		return nil, fmt.Errorf("%w: of a body of %d bytes, this one has %d", ErrCode, c.size, len(body))
	}
	padded := body
	if c.data*Shard > len(body) {
		padded = make([]byte, c.data*Shard)
		copy(padded, body)
	}
	parity := make([]byte, c.parity*Shard)
	err := c.each(padded, parity, func(code reedsolomon.Encoder, shards [][]byte, _ int) error { return code.Encode(shards) })
	return parity, err
}

// each calls f for each group that has parity, with its data shards and then its parity.
func (c Code) each(data, parity []byte, f func(code reedsolomon.Encoder, shards [][]byte, group int) error) error {
	var own scratch
	for group := range min(c.groups, c.parity) {
		n, p := c.dealt(c.data, group), c.dealt(c.parity, group)
		code, err := reedsolomon.New(n, p, reedsolomon.WithLeopardGF(true), reedsolomon.WithInversionCache(false), reedsolomon.WithWorkAllocator(&own))
		if err != nil {
			return fmt.Errorf("make a code of %d and %d shards: %w", n, p, err)
		}
		shards := make([][]byte, 0, n+p)
		for i := range n {
			shards = append(shards, shard(data, group+i*c.groups))
		}
		for i := range p {
			shards = append(shards, shard(parity, group+i*c.groups))
		}
		if err := f(code, shards, group); err != nil {
			return err
		}
	}
	return nil
}

// shard is a shard of whole ones.
func shard(of []byte, i int) []byte { return of[i*Shard : (i+1)*Shard : (i+1)*Shard] }

// scratch is what codes compute in, one after the other. They ask for buffers of 32 KiB, and use of each what a shard takes: so
// the buffers overlap, and are 300 KB in place of 8 MB.
type scratch struct{ memory []byte }

// Get returns n buffers of size bytes.
func (s *scratch) Get(n, size int) [][]byte {
	if need := n*Shard + size; len(s.memory) < need {
		s.memory = reedsolomon.AllocAligned(1, need)[0]
	}
	all := make([][]byte, n)
	for i := range all {
		all[i] = s.memory[i*Shard : i*Shard+size]
	}
	return all
}

// Put takes them back.
func (s *scratch) Put([][]byte) {}
