// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Weight is the share of pieces that a member gets as a relay of our blocks: 1 at first, 0 for one that is only probed.
func (m *Machine) Weight(id peer.ID) float64 {
	if s := m.members[id]; s != nil {
		return s.weight
	}
	return 0
}

// reported takes a receiver's report of which leaves were late.
func (m *Machine) reported(s *member, b *block, f *Frame) {
	if b.source == nil || len(f.Missing) != len(b.have) || b.reports[s] != nil {
		return
	}
	b.reports[s] = f.Missing
	if s.lapses == 0 {
		s.behind = time.Time{}
	}
	if m.feeds(b, s) {
		b.fed++
		if f.Probed {
			b.probeOK++
		}
	}
	if len(f.Have) == len(b.have) {
		b.lacks[s] = f.Have
	}
	m.supplied(b)
}

// judge scores the relays of a block: when everybody has reported, or after a while. It does so once.
func (m *Machine) judge(b *block, last bool) {
	if b.source == nil || b.judged || b.refuted {
		return
	}
	waited := m.now.Sub(b.since) > reportQuiets*(m.quiet+m.perSize(b))
	if !last && !waited && len(b.reports) < m.receivers() {
		return
	}
	b.judged = true
	if b.untold && len(b.reports) < m.receivers() {
		m.publish(b)
	}
	m.blame(b)
	b.judgeProbe()
	if b.blameless {
		return
	}
	late := m.lateRelays(b)
	for s, n := range b.assigned {
		if m.members[s.ID] != s || b.excused[s] {
			continue
		}
		s.score(len(b.complain[s]), n, late[s], len(b.reports) > 0, m)
	}
}

func (m *Machine) receivers() (n int) {
	for _, s := range m.order {
		if m.reached(s) {
			n++
		}
	}
	return n
}

// lateRelays are the relays that brought something late to half of those who reported. If they are most of them, it is
// nobody's fault.
func (m *Machine) lateRelays(b *block) map[*member]bool {
	votes := map[*member]int{}
	for _, report := range b.reports {
		slow := map[*member]bool{}
		for i := range b.pieces {
			p := &b.pieces[i]
			if p.relay0 != nil && !p.left.IsZero() && report.touches(p.first, p.count) {
				slow[p.relay0] = true
			}
		}
		for s := range slow {
			votes[s]++
		}
	}
	late := map[*member]bool{}
	for s, n := range votes {
		if 2*n > len(b.reports) {
			late[s] = true
		}
	}
	if 2*len(late) > len(b.assigned) {
		return nil
	}
	return late
}

// score changes a relay's weight: by how many of its pieces failed, by reports that it was late, or a little up.
func (s *member) score(failed, of int, late, reported bool, m *Machine) {
	switch {
	case failed > 0:
		s.weight *= max(0.15, 1-float64(failed)/float64(of))
	case late:
		s.weight *= 0.5
	case reported:
		s.weight = min(1, s.weight+raise)
		s.proven++
		return
	default:
		return
	}
	m.stats.Strikes++
	if s.weight < dropWeight {
		s.weight = 0
		s.fails = min(maxFails, s.fails+1)
		s.need = 1 << s.fails
		s.proven = 0
	}
}

// judgeProbe counts a probe. A relay that was dropped k times needs 2^k good ones in a row to be used again.
func (b *block) judgeProbe() {
	s := b.source.probe
	if s == nil || s.weight > 0 || b.fed == 0 {
		return
	}
	if 2*b.probeOK < b.fed {
		s.need = 1 << s.fails
		return
	}
	if s.need--; s.need <= 0 {
		s.weight = 0.5
	}
}
