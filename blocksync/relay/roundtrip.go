// SPDX-License-Identifier: Apache-2.0

package relay

import "time"

// roundTrip is how long one to a peer takes, by measurements now and then. Queues make them longer, and nothing makes them shorter than
// the way is. So a shorter one counts at once; longer ones count when echoDoubts in a row were, and then the shortest of these does.
type roundTrip struct {
	is     time.Duration // zero: not measured
	least  time.Duration // of those that were longer since one was not
	longer int           // how many
}

// add takes a measurement. Doubt says that it was longer, and not believed yet.
func (r *roundTrip) add(rtt time.Duration) (doubt bool) {
	if r.is == 0 || rtt <= r.is+r.is/4 {
		*r = roundTrip{is: rtt}
		return false
	}
	if r.longer++; r.longer == 1 || rtt < r.least {
		r.least = rtt
	}
	if r.longer < echoDoubts {
		return true
	}
	*r = roundTrip{is: r.least}
	return false
}
