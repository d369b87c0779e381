// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/fair"
)

// Member is another peer of the channel, as we see it.
type Member struct {
	ID        peer.ID
	Identity  string // within its organization; empty: it has one host key, this one
	Org       string
	RTT       time.Duration // 0 if it was not measured
	Connected bool          // and speaks the protocol, and may read the channel
	Far       bool          // we are not to be connected: others reach it
	Hidden    bool          // only its organization sees it
	Guest     bool          // we see it because it is connected to us: others need not
	Leader    bool          // it has blocks of the ordering service
}

// owner is whom a member counts as.
func (m Member) owner() fair.Owner {
	return fair.Owner{Org: m.Org, Identity: cmp.Or(m.Identity, string(m.ID))}
}

// member is a member and what we think of it.
type member struct {
	Member
	short  Short
	stands bool // for its identity, where one of its host keys has to
	hosts  int  // visible members of its organization, as far as others than itself reach them
	queue

	// As a relay of our blocks.
	weight float64
	fails  int       // how often it was dropped
	need   int       // good probes until it is used again
	proven int       // blocks or pieces that it is known to have forwarded
	tail   tail      // of our block that it was sent last
	behind time.Time // until when it is taken not to be able to judge our announcements

	lapses  int       // how often it was found to pass nothing on within our organization
	forlorn time.Time // until when it is taken to get our blocks from nobody but us

	fault  int       // as a source: blocks that stalled; in rows: how often it was asked in vain since it gave something
	gave   time.Time // when it last sent something new
	forged int
	misled bool      // it announced false parity: no more of it is taken
	liar   time.Time // until when its pieces are not looked at
}

const refuteFault = 8

// Members replaces the view. Members that stay keep their scores. Of several host keys of one identity the first stands for it.
func (m *Machine) Members(now time.Time, view []Member) {
	m.now = now
	fresh := make(map[peer.ID]*member, len(view))
	stood := map[fair.Owner]bool{}
	m.order = m.order[:0]
	clear(m.shorts)
	for _, v := range view {
		if v.ID == m.Self || fresh[v.ID] != nil {
			continue
		}
		s := m.members[v.ID]
		if s == nil {
			s = &member{short: ShortOf(v.ID), weight: 1}
		}
		s.Member, s.stands = v, !stood[v.owner()]
		stood[v.owner()] = true
		if !v.Connected {
			s.reset(m)
		}
		fresh[v.ID], m.shorts[s.short] = s, s
		m.order = append(m.order, s)
	}
	for id, s := range m.members {
		if fresh[id] == nil {
			s.reset(m)
		}
	}
	m.members = fresh
	slices.SortFunc(m.order, func(a, b *member) int { return cmp.Compare(a.ID, b.ID) })
	usual := m.rttOf(1, 2)
	m.near, m.hop, m.most = usual <= nearRTT, usual/2, m.rttOf(9, 10)
	m.quiet = m.leastQuiet()
	m.family()
	m.lookAfter()
	m.settle()
}

// leastQuiet is how late a piece may be before the size counts, as long as there were no false alarms. Among near members what is
// late waits for processors, those of machines that share one as well, and copies of it would make all of them later.
func (m *Machine) leastQuiet() time.Duration {
	if m.near {
		return max(quietNear, quietRTTs*m.rtt())
	}
	if m.Hidden { // pieces come over our organization, and wait there
		return max(quietMin, quietHidden*m.rtt())
	}
	return max(quietMin, quietRTTs*m.rtt())
}

// family finds who serves the hidden members of our organization.
func (m *Machine) family() {
	m.hidden, m.kin = nil, nil
	for _, s := range m.order {
		switch {
		case s.Org != m.Org || !s.Connected:
		case s.Hidden:
			m.hidden = append(m.hidden, s)
		default:
			m.kin = append(m.kin, s)
		}
	}
}

// rtt is the round trip to nine members in ten, 50 ms if none was measured.
func (m *Machine) rtt() time.Duration { return m.most }

// rttOf is the round trip to a share of the members at most, 50 ms if none was measured.
func (m *Machine) rttOf(share, of int) time.Duration {
	var all []time.Duration
	for _, s := range m.order {
		if s.Connected && s.RTT > 0 {
			all = append(all, s.RTT)
		}
	}
	if len(all) == 0 {
		return 50 * time.Millisecond
	}
	slices.Sort(all)
	return all[len(all)*share/of]
}

func byID(s *member, id peer.ID) int { return cmp.Compare(s.ID, id) }

// around are the members from our own place on, so that members that forward at the same time begin at different ones.
func (m *Machine) around(yield func(*member) bool) {
	from, _ := slices.BinarySearchFunc(m.order, m.Self, byID)
	for i := range m.order {
		if !yield(m.order[(from+i)%len(m.order)]) {
			return
		}
	}
}

// reached says whether we send a block to a member ourselves: everybody that is visible or of our organization.
func (m *Machine) reached(s *member) bool {
	return s.Connected && (!s.Hidden || s.Org == m.Org)
}

// Reaches says whether we send blocks to anybody.
func (m *Machine) Reaches() bool { return slices.ContainsFunc(m.order, m.reached) }

// ReachesAll says whether we send blocks to everybody that we see, but for hidden members of other organizations, who are not
// ours to reach.
func (m *Machine) ReachesAll() bool {
	return !slices.ContainsFunc(m.order, func(s *member) bool { return !s.Connected && (!s.Hidden || s.Org == m.Org) })
}

// share is the weight of some members' votes: each identity counts, but no organization for more than its equal part of
// them all, so that one that enrolls many has no majority by itself.
func (m *Machine) share(voters func(*member) bool) (votes, total int) {
	all, yes := map[string]int{}, map[string]int{}
	for _, s := range m.order {
		if !m.reached(s) || !s.stands {
			continue
		}
		all[s.Org]++
		if voters(s) {
			yes[s.Org]++
		}
	}
	count := 0
	for _, n := range all {
		count += n
	}
	most := 1
	if len(all) > 0 {
		most = (count + len(all) - 1) / len(all)
	}
	for org, n := range all {
		total += min(n, most)
		votes += min(yes[org], most)
	}
	return votes, total
}
