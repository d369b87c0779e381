// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"cmp"
	"maps"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/grid"
	"github.com/weft-p2p/weft/membership"
)

// neighbours chooses whom to be connected to. One goroutine at a time.
type neighbours struct {
	self   peer.ID
	hidden func() bool // nobody but our organization sees us
	most   int         // up to how many members everybody is connected to everybody
	crowd  bool        // there are more that everybody sees, or were until a moment ago
	clan   bool        // our organization is so large, or was
	sparse bool        // there are members that others reach
	near   map[peer.ID]struct{}
	spare  map[peer.ID]struct{} // members whom others reach
}

// choose looks at the views: that of our organization, and those of our channels. In a small network everybody is near, one host key of each
// identity. In a large one it is the grid of each channel's visible members, and of our own organization everybody up to half of the full mesh, and
// its grid beyond. Visible members alone say whether a network is large, for all members see these; what we see of our organization besides
// says whether that is. Each is large until it has a tenth fewer members than it needs for that; in between nobody of it is spare, since members
// that have just started are connected to everybody.
func (n *neighbours) choose(organization []membership.Member, channels [][]membership.Member) {
	n.near, n.spare = map[peer.ID]struct{}{}, map[peer.ID]struct{}{}
	own, visible := standing(organization), shown(standing(slices.Concat(channels...)))
	var spareOwn, spareVisible bool
	n.crowd, spareVisible = large(len(visible), n.most, n.crowd)
	limit := n.most
	if n.crowd {
		limit /= 2
	}
	n.clan, spareOwn = large(len(own), limit, n.clan)
	few := n.hidden() && n.manyHidden(own, visible)
	n.sparse = n.crowd || n.clan || few
	n.wantOwn(own)
	n.wantVisible(visible, channels, n.crowd || few)
	if spareOwn {
		n.leave(own)
	}
	if spareVisible || few {
		n.leave(visible)
	}
}

// large says whether there are so many members, ourselves not counted, that a grid is for them, and whether they are so many now.
func large(members, most int, was bool) (is, now bool) {
	now = members >= most
	return now || was && members >= most-most/10, now
}

// manyHidden says whether the hidden members of our organization are more than the visible ones of others have room for, if each organization has as many: they
// are to have no more connections than in a full mesh.
func (n *neighbours) manyHidden(own, visible []membership.Member) bool {
	orgs := map[string]bool{}
	for _, m := range visible {
		orgs[m.MSPID] = true
	}
	hidden := 1 + len(own) - len(shown(own))
	return len(orgs)*hidden > n.most-len(visible)
}

func (n *neighbours) wantOwn(own []membership.Member) {
	if n.clan {
		n.take(own)
		return
	}
	for _, m := range own {
		n.near[m.ID] = struct{}{}
	}
}

func (n *neighbours) wantVisible(visible []membership.Member, channels [][]membership.Member, some bool) {
	if some {
		for _, members := range channels {
			n.take(shown(standing(members)))
		}
		return
	}
	for _, m := range visible {
		n.near[m.ID] = struct{}{}
	}
}

// leave leaves those that are not near to others.
func (n *neighbours) leave(members []membership.Member) {
	for _, m := range members {
		if _, near := n.near[m.ID]; !near {
			n.spare[m.ID] = struct{}{}
		}
	}
}

// shown are the members that everybody sees.
func shown(members []membership.Member) []membership.Member {
	return slices.DeleteFunc(slices.Clone(members), func(m membership.Member) bool { return !m.Visible })
}

// take adds the neighbours in a grid of members: of the living, and the dead that would be neighbours if everybody lived, so that a
// network that was cut in two finds together.
func (n *neighbours) take(members []membership.Member) {
	all, alive := []peer.ID{n.self}, []peer.ID{n.self}
	dead := map[peer.ID]bool{}
	for _, m := range members {
		all = append(all, m.ID)
		if dead[m.ID] = !m.Alive; m.Alive {
			alive = append(alive, m.ID)
		}
	}
	maps.Copy(n.near, grid.New(alive...).Neighbours(n.self))
	for id := range grid.New(all...).Neighbours(n.self) {
		if dead[id] {
			n.near[id] = struct{}{}
		}
	}
}

// far says whether others reach a member.
func (n *neighbours) far(id peer.ID) bool {
	_, near := n.near[id]
	return n.sparse && !near
}

// standing are the members that stand for their identities, by peer ID.
func standing(members []membership.Member) []membership.Member {
	known := map[peer.ID]membership.Member{}
	for _, m := range members {
		if was, twice := known[m.ID]; m.Record != nil && (!twice || m.Visible || !was.Visible) {
			known[m.ID] = m
		}
	}
	return membership.OnePerIdentity(slices.SortedFunc(maps.Values(known), func(a, b membership.Member) int { return cmp.Compare(a.ID, b.ID) }))
}
