// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
)

// batch collects changes until somebody has time for them and keeps only the
// net change of each member. So it holds at most who was in the view when it
// was last taken and who is in it now, however many come and go in between.
type batch struct{ changes map[peer.ID]netChange }

type netChange struct {
	Change
	isNew bool // joined since the batch was last taken
}

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
		b.changes = make(map[peer.ID]netChange)
	}
	n := netChange{c, c.Kind == Joined}
	if before, known := b.changes[c.Member.ID]; known {
		n.isNew = before.isNew
		n.Kind = net(before, c.Kind)
	}
	if n.Kind == None {
		delete(b.changes, c.Member.ID)
		return
	}
	b.changes[c.Member.ID] = n
}

// take returns the net changes in the order of peer IDs and starts anew.
func (b *batch) take() []Change {
	changes := make([]Change, 0, len(b.changes))
	for _, n := range b.changes {
		changes = append(changes, n.Change)
	}
	slices.SortFunc(changes, func(x, y Change) int { return cmp.Compare(x.Member.ID, y.Member.ID) })
	b.changes = nil
	return changes
}

// net is what another change makes of the first ones; None when a member came
// and went.
func net(before netChange, then Kind) Kind {
	switch {
	case then == Advanced, then == Updated && before.Kind != Advanced:
		return before.Kind
	case before.isNew && (then == Left || then == Purged):
		return None
	case before.isNew && then == Returned:
		return Joined
	case then == Joined:
		return Returned // it had left, or been forgotten
	}
	return then
}
