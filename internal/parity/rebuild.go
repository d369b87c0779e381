// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"fmt"

	"github.com/klauspost/reedsolomon"
)

// join puts shards together, where those that are missing are nil.
func join(shards [][]byte) []byte {
	all := make([]byte, len(shards)*Shard)
	for i, part := range shards {
		copy(all[i*Shard:], part)
	}
	return all
}

// Rebuild computes a body out of the shards that are here of it and of its parity; those that are missing are nil. It returns
// [ErrShort] if that is too little. If the parity was false, so is what it returns.
func (c Code) Rebuild(body, parity [][]byte) ([]byte, error) {
	if len(body) != c.data || len(parity) != c.parity {
		return nil, fmt.Errorf("%w: of %d and %d shards", ErrCode, len(body), len(parity))
	}
	data := join(body)
	err := c.each(data, join(parity), func(code reedsolomon.Encoder, shards [][]byte, group int) error {
		n, missing := c.dealt(c.data, group), 0
		for i := range shards {
			if i < n && body[group+i*c.groups] != nil || i >= n && parity[group+(i-n)*c.groups] != nil {
				continue
			}
			missing++
			shards[i] = shards[i][:0] // the capacity says where it goes
		}
		if missing > len(shards)-n {
			return fmt.Errorf("%w: %d shards of %d", ErrShort, missing, len(shards))
		}
		return code.ReconstructData(shards)
	})
	if err != nil {
		return nil, err
	}
	for group := c.parity; group < c.groups; group++ { // without parity
		for i := group; i < c.data; i += c.groups {
			if body[i] == nil {
				return nil, fmt.Errorf("%w: shard %d has no parity", ErrShort, i)
			}
		}
	}
	return data[:c.size], nil
}

// Tally counts what is here of a body and its parity. Whoever adds a shard twice spoils it.
type Tally struct {
	code Code
	lack []int // shards of each group
	open int   // groups that lack some
}

// Tally counts from nothing.
func (c Code) Tally() *Tally {
	t := &Tally{code: c, lack: make([]int, c.groups), open: c.groups}
	for group := range t.lack {
		t.lack[group] = c.dealt(c.data, group)
	}
	return t
}

// Add adds a shard of the body or of its parity: both are dealt out alike.
func (t *Tally) Add(shard int) {
	group := shard % t.code.groups
	if t.lack[group]--; t.lack[group] == 0 {
		t.open--
	}
}

// Enough says whether Rebuild can do with what was added.
func (t *Tally) Enough() bool { return t.open == 0 }
