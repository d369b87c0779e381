// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/membership"
)

// calmAfter is how many intervals after somebody came everybody is taken to have heard us on the channel's topic.
const calmAfter = 2

// pace is how often we beat on the channel's topic. A leader's beats keep the usual interval, for its claim ends with them.
func (c *Channel) pace() time.Duration {
	timing := c.node.timing
	if c.leads() {
		return timing.AliveInterval
	}
	if at := c.arrived.Load(); at != nil && time.Since(*at) >= calmAfter*timing.AliveInterval && c.amongOurselves() {
		return timing.Quiet()
	}
	living, _ := c.tracker.Count()
	return timing.Pace(living)
}

// amongOurselves says whether everybody in the channel hears us on the topic of our organization as well, as far as we know: who lives
// is heard there, and nobody of another organization is connected. Whoever hears us all the same on the channel's topic alone sees us live:
// Quiet is shorter than the silence after which we would be dead.
func (c *Channel) amongOurselves() bool {
	ours := c.node.MSPID()
	return !slices.ContainsFunc(c.tracker.Alive(), func(m membership.Member) bool { return m.MSPID != ours || !c.node.org.near(m.ID) }) &&
		!slices.ContainsFunc(c.readers(), func(id peer.ID) bool {
			record, _ := c.node.auth.Known(id)
			return record != nil && record.Identity().MSPID() != ours
		})
}
