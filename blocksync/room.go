// SPDX-License-Identifier: Apache-2.0

package blocksync

import "slices"

// brought says whether the source of c, or its identity, has a candidate for number already. One that was parked makes way
// for one that is not.
func (b *Buffer) brought(number uint64, c Candidate) bool {
	same := func(other Candidate) bool {
		return other.From == c.From || c.From != "" && other.From != "" && other.owner() == c.owner()
	}
	if !c.Parked {
		b.drop(number, func(other Candidate) bool { return other.Parked && same(other) })
	}
	return slices.ContainsFunc(b.slots[number], same)
}

// makePlace finds a place among the candidates of peers for a number: a parked one has to do with few, one of an
// organization, and others push it out.
func (b *Buffer) makePlace(number uint64, c Candidate) bool {
	slot := b.slots[number]
	if c.Parked {
		parked := 0
		for _, other := range slot {
			if other.Parked && other.owner().Org == c.owner().Org {
				return false
			}
			if other.Parked {
				parked++
			}
		}
		return parked < parkedEach && len(slot) < maxCandidates
	}
	if len(slot) >= maxCandidates {
		b.drop(number, func(other Candidate) bool { return other.Parked })
	}
	return len(b.slots[number]) < maxCandidates
}

// makeRoom pushes out candidates for farther numbers, the farthest first, until c fits into the bounds: of its identity, of
// its organization, of all.
func (b *Buffer) makeRoom(c Candidate) bool {
	if c.Parked && !b.parked.Fits(c.owner(), c.Size, maxParked, maxParked/4) {
		return false
	}
	if c.From == "" {
		return b.clear(c, func() bool { return b.own+b.peers.All()+c.Size <= maxBuffered }, func(Candidate) bool { return true })
	}
	o := c.owner()
	return b.clear(c, func() bool { return b.peers.Of(o)+c.Size <= maxBuffered/4 }, func(other Candidate) bool { return other.owner() == o }) &&
		b.clear(c, func() bool { return b.peers.Org(o.Org)+c.Size <= maxBuffered/2 }, func(other Candidate) bool { return other.owner().Org == o.Org }) &&
		b.clear(c, func() bool { return b.own+b.peers.All()+c.Size <= maxBuffered }, func(Candidate) bool { return true })
}

// clear pushes out candidates of peers that are among those, farther than c, until c fits.
func (b *Buffer) clear(c Candidate, fits func() bool, among func(Candidate) bool) bool {
	for !fits() {
		if !b.evict(c, among) {
			return false
		}
	}
	return true
}

// evict drops the candidate of a peer that is farthest ahead, farther than c.
func (b *Buffer) evict(c Candidate, among func(Candidate) bool) bool {
	var victim Candidate
	farthest := c.Block.GetHeader().GetNumber()
	for number, slot := range b.slots {
		for _, other := range slot {
			if number > farthest && other.From != "" && among(other) {
				victim, farthest = other, number
			}
		}
	}
	if victim.Block == nil {
		return false
	}
	b.drop(farthest, func(other Candidate) bool { return other.From == victim.From })
	return true
}
