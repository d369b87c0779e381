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
	most   int  // up to how many members everybody is connected to everybody
	sparse bool // there are more, or were until a moment ago
	near   map[peer.ID]struct{}
	spare  map[peer.ID]struct{} // members whom others reach
}

// choose looks at the views: that of our organization, and those of our channels. In a small network everybody is near, one host key of each
// identity. In a large one it is the grid of each channel's visible members, and our own organization: all of it up to half of the
// full mesh, its grid beyond. A network is large until it has a tenth fewer members than a full mesh; in between nobody is spare, since
// members that have just started are connected to everybody.
func (n *neighbours) choose(organization []membership.Member, channels [][]membership.Member) {
	known := standing(slices.Concat(append(channels, organization)...))
	n.sparse = len(known) >= n.most || n.sparse && len(known) >= n.most-n.most/10 // ourselves not counted
	n.near, n.spare = map[peer.ID]struct{}{}, map[peer.ID]struct{}{}
	if !n.sparse {
		for _, m := range known {
			n.near[m.ID] = struct{}{}
		}
		return
	}
	if own := standing(organization); len(own) >= n.most/2 {
		n.take(own)
	} else {
		for _, m := range own {
			n.near[m.ID] = struct{}{}
		}
	}
	for _, members := range channels {
		n.take(slices.DeleteFunc(standing(members), func(m membership.Member) bool { return !m.Visible }))
	}
	if len(known) < n.most {
		return
	}
	for _, m := range known {
		if _, near := n.near[m.ID]; !near {
			n.spare[m.ID] = struct{}{}
		}
	}
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
