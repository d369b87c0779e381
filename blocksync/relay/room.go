// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"math"
	"time"
)

const (
	// busyFor is for how long the uplink counts as taken by new blocks after a piece of one was queued. What is queued leaves
	// at once as far as QUIC or TCP lets it, and waits in the network: how long the queues are says little.
	busyFor = 250 * time.Millisecond
	// roomShare is the part of the rate at which bodies come that is left to what is less urgent meanwhile, roomLeast the least
	// of it, in bytes per second: as much as can be spared of 10 Mbit/s, and enough that nobody's range request is cut off.
	roomShare, roomLeast = 0.5, 410e3
)

// Room is how many bytes a second may be sent from this host by what is less urgent than new blocks, such as the catch-up
// of others: infinitely many while no blocks are relayed. It does not wait.
func (c *Carrier) Room() float64 {
	room, now := math.Inf(1), time.Now()
	for _, ch := range c.list() {
		room = min(room, ch.room(now))
	}
	return room
}

func (c *Channel) room(now time.Time) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.machine.room(now)
}

func (m *Machine) room(now time.Time) float64 {
	if now.Sub(m.queued) >= busyFor {
		return math.Inf(1)
	}
	return max(roomLeast, roomShare*max(m.pace.rate, m.supply.rate))
}

// supplied takes the rate at which a block has left that we are the source of, when half of the members have it.
func (m *Machine) supplied(b *block) {
	if len(b.reports) != (m.receivers()+1)/2 {
		return
	}
	if took := m.now.Sub(b.source.since) - m.rtt(); took > 0 && b.queued >= paceBytes {
		m.supply.add(float64(b.queued) / took.Seconds())
	}
}
