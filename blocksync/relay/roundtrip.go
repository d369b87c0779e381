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

// add takes a measurement.
func (r *roundTrip) add(rtt time.Duration) {
	if r.is == 0 || rtt <= r.is+r.is/4 {
		*r = roundTrip{is: rtt}
		return
	}
	if r.longer++; r.longer == 1 || rtt < r.least {
		r.least = rtt
	}
	if r.longer == echoDoubts {
		*r = roundTrip{is: r.least}
	}
}
