// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"sync/atomic"
	"time"
)

// busyFor is for how long the uplink counts as taken by new blocks after a piece of one was queued. What is queued leaves at
// once as far as QUIC or TCP lets it, and waits in the network: how long the queues are says little.
const busyFor = 250 * time.Millisecond

// busy is when pieces were last queued for any peer of a host. Safe for concurrent use, without a lock.
type busy struct{ nanos atomic.Int64 }

func (b *busy) note(now time.Time) { b.nanos.Store(now.UnixNano()) }

// Busy says whether blocks are being relayed from this host: what is less urgent, such as the catch-up of others, should leave
// them most of the uplink. It does not wait.
func (c *Carrier) Busy() bool {
	return time.Since(time.Unix(0, c.busy.nanos.Load())) < busyFor
}
