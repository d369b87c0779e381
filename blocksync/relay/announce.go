// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// begin announces a block and shares its pieces out. Where others pass the announcement on, it leaves first: connections
// share the uplink packet by packet, so that among pieces for everybody the few long announcements would be the last to be
// through.
func (m *Machine) begin(b *block) {
	if m.announce(b) {
		b.source.waits = m.now.Add(headStart)
		return
	}
	m.distribute(b)
}

// follow shares the pieces out when the announcements have left.
func (m *Machine) follow(b *block) {
	if b.source != nil && !b.source.waits.IsZero() && !m.now.Before(b.source.waits) {
		b.source.waits = time.Time{}
		m.distribute(b)
	}
}

// publish announces a block on the topic as well.
func (m *Machine) publish(b *block) {
	b.untold = false
	m.effects.Announce = append(m.effects.Announce, b.Sealed)
}

// announce sends the announcement and the crown to everybody that we reach; it reports whether some are to hear of it from
// others. The topic, which brings it to each member several times, has it at once only if there is a member that we do not
// reach; otherwise when somebody does not report the block.
func (m *Machine) announce(b *block) (introduced bool) {
	m.announcedFirst(b, m.Self)
	b.announcers = append(b.announcers, announcer{m.Self, m.Org})
	b.source = newSource(m.now, b.tree.Count())
	if b.untold = m.receivers() == len(m.order); !b.untold {
		m.publish(b)
	}
	announcement := &Frame{Kind: Announce, Ref: b.ref, Data: b.Sealed}
	if b.tree.Count() > 1 {
		announcement.Proof, _ = b.tree.Crown(nil)
	}
	if m.inRows {
		m.announceOverRows(b, announcement)
		return len(m.order) > introduceAbove
	}
	var all []*member
	for s := range m.around {
		if m.reached(s) {
			all = append(all, s)
		}
	}
	if !m.introduces(b, len(all)) {
		for _, s := range all {
			m.tell(s, announcement)
		}
		return false
	}
	m.tellSome(all, announcement)
	return true
}

// introduces says whether so many members are too many to tell each ourselves.
func (m *Machine) introduces(b *block, members int) bool {
	hop := m.rtt() / 2
	return members > introduceAbove || members > introduceBig && b.Size >= bigBody && time.Duration(members)*tellTime > hop
}

// tellSome tells one in about the square root of the members, and has each tell some others. They are relays that are in use,
// if there are enough of these: who is mute tells nobody. Guests do not reach each other, and others may not reach our hidden members.
func (m *Machine) tellSome(all []*member, announcement *Frame) {
	var heads, others []*member
	for _, s := range all {
		switch {
		case s.Hidden:
			m.tell(s, announcement)
		case s.Guest:
			others = append(others, s)
		default:
			heads = append(heads, s)
		}
	}
	m.Rand.Shuffle(len(heads), func(i, j int) { heads[i], heads[j] = heads[j], heads[i] })
	slices.SortStableFunc(heads, func(a, b *member) int { return cmp.Compare(min(b.weight, dropWeight), min(a.weight, dropWeight)) })
	if n := int(math.Ceil(math.Sqrt(float64(len(all))))); n < len(heads) {
		heads, others = heads[:n], append(heads[n:], others...)
	}
	if len(others) > len(heads)*maxIntroduced {
		heads, others = append(heads, others...), nil
	}
	for i, s := range heads {
		f := *announcement
		for j := i; j < len(others); j += len(heads) {
			f.Targets = append(f.Targets, others[j].short)
		}
		m.tell(s, &f)
	}
}
