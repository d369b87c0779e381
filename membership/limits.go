// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"fmt"

	"github.com/weft-p2p/weft/msp"
)

// Limits bound a view. Whoever holds one valid certificate can make any number
// of host keys, so places are counted by identity and shared by organization.
// The dead and the tombstones count as well.
type Limits struct {
	Members     int // host keys in all; default 4096
	PerIdentity int // host keys of one identity; default 8, one is normal
}

// DefaultLimits returns limits that no honest network comes near.
func DefaultLimits() Limits { return Limits{Members: 4096, PerIdentity: 8} }

// Validate reports limits that cannot work.
func (l Limits) Validate() error {
	if l.Members < 1 || l.PerIdentity < 1 {
		return fmt.Errorf("membership: limits of %d members and %d per identity, both must be positive", l.Members, l.PerIdentity)
	}
	return nil
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	return Limits{Members: cmp.Or(l.Members, d.Members), PerIdentity: cmp.Or(l.PerIdentity, d.PerIdentity)}
}

// room makes a place for the sender of h, who is e or new, by removing at most
// one entry: of the same identity when that has too many, else of the
// organization with the most entries. A member that is removed is returned.
// False: the sender has to wait until somebody is forgotten.
func (v *View) room(e *entry, h *Heartbeat, here bool) (*Member, bool) {
	id := h.Record.Identity()
	most := dead // whom the newcomer may push out
	if !here {
		most = gone
	}
	var victim *entry
	switch {
	case v.crowded(e, id.Key()):
		victim = v.oldest(most, func(o *entry) bool { return o != e && o.key == id.Key() })
	case e == nil && len(v.entries) >= v.limits.Members:
		victim = v.fromLargest(id.MSPID(), most)
	default:
		return nil, true
	}
	if victim == nil {
		return nil, false
	}
	delete(v.entries, victim.id)
	if victim.phase == gone {
		return nil, true
	}
	m := v.member(victim)
	m.Alive = false
	return &m, true
}

// crowded reports whether one more host key would be too many for the identity.
func (v *View) crowded(e *entry, key msp.Key) bool {
	if e != nil && e.key == key {
		return false
	}
	n := 0
	for _, o := range v.entries {
		if o.key == key {
			n++
		}
	}
	return n >= v.limits.PerIdentity
}

// fromLargest picks whom a full view gives up for a newcomer of org: the oldest
// entry of the largest organization, a living one only when org is smaller, so
// that nobody can crowd another organization out.
func (v *View) fromLargest(org string, most phase) *entry {
	counts := make(map[string]int)
	for _, e := range v.entries {
		counts[e.org]++
	}
	largest := org
	for name, n := range counts {
		if n > counts[largest] || n == counts[largest] && largest != org && name < largest {
			largest = name
		}
	}
	if most == dead && counts[largest] > counts[org]+1 {
		most = alive
	}
	return v.oldest(most, func(e *entry) bool { return e.org == largest })
}

// oldest returns the entry that is missed least: a tombstone before a dead
// member before a living one, and the longest silent first. Kept ones never.
func (v *View) oldest(most phase, among func(*entry) bool) *entry {
	var found *entry
	for id, e := range v.entries {
		if _, kept := v.kept[id]; kept || e.phase > most || !among(e) {
			continue
		}
		if found == nil || missedLess(e, found) {
			found = e
		}
	}
	return found
}

func missedLess(a, b *entry) bool {
	return cmp.Or(cmp.Compare(a.phase, b.phase), a.lastSeen.Compare(b.lastSeen), cmp.Compare(a.id, b.id)) < 0
}
