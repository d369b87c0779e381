// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/msp"
)

// Members returns everybody, dead ones included, sorted by peer ID.
func (v *View) Members() []Member { return v.members(func(*entry) bool { return true }) }

// Alive returns the living, sorted by peer ID.
func (v *View) Alive() []Member { return v.members(func(e *entry) bool { return e.phase == alive }) }

// AtOrAbove returns the living that claim at least height blocks.
func (v *View) AtOrAbove(height uint64) []Member {
	return v.members(func(e *entry) bool { return e.phase == alive && e.state.Height >= height })
}

// MostHave reports whether most of the living claim at least height blocks. An identity has one vote, whatever host keys it
// uses: that of the newest incarnation; no organization is a majority alone, unless there is no other (fair.Poll).
func (v *View) MostHave(height uint64) bool {
	var poll fair.Poll
	for _, m := range OnePerIdentity(v.Alive()) {
		poll.Vote(m.MSPID, m.State.Height >= height)
	}
	return poll.Majority()
}

// OnePerIdentity returns those who stand for their identities, in the order in which they are: of several host keys of one
// identity the living before the dead, then the one with the newest incarnation.
func OnePerIdentity(members []Member) []Member {
	first := make(map[msp.Key]Member, len(members))
	for _, m := range members {
		key := m.Record.Identity().Key()
		if other, ok := first[key]; !ok || m.standsBefore(other) {
			first[key] = m
		}
	}
	return slices.DeleteFunc(slices.Clone(members), func(m Member) bool { return first[m.Record.Identity().Key()].ID != m.ID })
}

func (m Member) standsBefore(o Member) bool {
	if m.Alive != o.Alive {
		return m.Alive
	}
	return cmp.Or(cmp.Compare(m.Record.Incarnation(), o.Record.Incarnation()), cmp.Compare(m.ID, o.ID)) > 0
}

// Find returns one member, dead or alive.
func (v *View) Find(id peer.ID) (Member, bool) {
	e := v.entries[id]
	if e == nil || e.phase == gone {
		return Member{}, false
	}
	return v.member(e), true
}

// Count returns how many members live, and how many are known in all.
func (v *View) Count() (living, known int) {
	for _, e := range v.entries {
		switch e.phase {
		case alive:
			living, known = living+1, known+1
		case dead:
			known++
		}
	}
	return living, known
}

// Highest returns the greatest height that a living member claims, and the
// first such member by peer ID; an empty ID when nobody lives.
func (v *View) Highest() (id peer.ID, height uint64) {
	for _, e := range v.entries {
		if e.phase != alive {
			continue
		}
		if h := e.state.Height; id == "" || h > height || h == height && e.id < id {
			id, height = e.id, h
		}
	}
	return id, height
}

// Twins returns the other living host keys of the same identity. There should
// be none: a second node runs with a copy of the certificate and its key, or a
// node has lost its host key within the last AliveExpiration.
func (v *View) Twins(id peer.ID) []peer.ID {
	e := v.entries[id]
	if e == nil || e.phase != alive {
		return nil
	}
	var twins []peer.ID
	for other, o := range v.entries {
		if other != id && o.phase == alive && o.key == e.key {
			twins = append(twins, other)
		}
	}
	slices.Sort(twins)
	return twins
}

func (v *View) members(want func(*entry) bool) []Member {
	var members []Member
	for _, e := range v.entries {
		if e.phase != gone && want(e) {
			members = append(members, v.member(e))
		}
	}
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return members
}

func (v *View) member(e *entry) Member {
	m := Member{
		ID: e.id, MSPID: e.org, Record: e.record, Sequence: e.newest.sequence,
		Addrs: e.addrs(), State: e.state.clone(), LastSeen: v.clock.outside(e.lastSeen),
		Alive: e.phase == alive, Visible: !e.channel.empty(),
	}
	return m
}
