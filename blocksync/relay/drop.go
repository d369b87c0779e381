// SPDX-License-Identifier: Apache-2.0

package relay

// Drop is why a frame was dropped. Whoever it was for misses it, and asks for it.
type Drop string

// The reasons.
const (
	DropSlow   Drop = "slow"   // a piece of an older block for a peer that takes less than comes, or a control frame for one that takes none
	DropGone   Drop = "gone"   // for a peer that is not connected any more
	DropFull   Drop = "full"   // a piece that came, and for which there is no room
	DropMemory Drop = "memory" // a piece that came, and for which the host has no memory
	DropLate   Drop = "late"   // a piece that came, and whose block was not announced in time
)

// dropped notes that frames were dropped.
func (m *Machine) dropped(why Drop, frames int) {
	if frames == 0 {
		return
	}
	if m.effects.Dropped == nil {
		m.effects.Dropped = map[Drop]int{}
	}
	m.effects.Dropped[why] += frames
	if why == DropFull || why == DropMemory || why == DropLate {
		m.stats.Overflow += frames
	} else {
		m.stats.Dropped += frames
	}
}
