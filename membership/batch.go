// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"maps"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
)

// batch collects changes until somebody has time for them and keeps only the
// net change of each member. So it holds at most who was in the view when it
// was last taken and who is in it now, however many come and go in between.
type batch struct{ changes map[peer.ID]Change }

func (b *batch) empty() bool { return len(b.changes) == 0 }

func (b *batch) add(c Change) {
	if d := c.Displaced; d != nil {
		b.add(Change{Kind: Purged, Member: *d})
		c.Displaced = nil
	}
	if !c.Kind.Changed() {
		return
	}
	if b.changes == nil {
		b.changes = make(map[peer.ID]Change)
	}
	before, known := b.changes[c.Member.ID]
	if known {
		c.Kind = net(before.Kind, c.Kind)
	}
	if c.Kind == None {
		delete(b.changes, c.Member.ID)
		return
	}
	b.changes[c.Member.ID] = c
}

// take returns the net changes in the order of peer IDs and starts anew.
func (b *batch) take() []Change {
	changes := slices.SortedFunc(maps.Values(b.changes), func(x, y Change) int {
		return cmp.Compare(x.Member.ID, y.Member.ID)
	})
	b.changes = nil
	return changes
}

// net combines two changes of one member; None when they cancel out.
func net(first, then Kind) Kind {
	ends := then == Left || then == Purged
	switch {
	case first == Joined && ends:
		return None
	case first == Joined && then == Returned, then == Updated:
		return first
	case then == Joined:
		return Returned // first was Left or Purged
	}
	return then
}
