// SPDX-License-Identifier: Apache-2.0

package host

import "time"

// slow is how long an attempt takes that ends for want of time: dialing, the handshake and the authentication have 5 s each.
const slow = 4 * time.Second

// window is how many attempts run at one time: few at first, one more for each that connects, and half as many when one runs out of time
// that nothing was known against, so that machines which are busy, ours or those of all the others, finish what they began instead of
// beginning more. It works like the congestion window of TCP (RFC 5681). It is pure; it belongs to one goroutine.
type window struct {
	least, most, size int
	cut               time.Time // when it was halved last
}

func newWindow(most int) window {
	least := max(1, most/4)
	return window{least: least, most: most, size: least}
}

// connected takes in an attempt that ended well.
func (w *window) connected() { w.size = min(w.size+1, w.most) }

// expired takes in an attempt that was begun at a time and ran out of it. Of those that were under way together one counts.
func (w *window) expired(now, begun time.Time) {
	if begun.After(w.cut) {
		w.size, w.cut = max(w.size/2, w.least), now
	}
}
