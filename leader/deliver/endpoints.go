// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"bytes"
	"math/rand/v2"
	"slices"

	"github.com/weft-p2p/weft/msp/channelconfig"
)

// rotation goes through the endpoints of the channel in random order. It starts over, in a new order, whenever the configuration names
// others, which also spreads the peers over the orderers again. Not safe for concurrent use.
type rotation struct {
	rand  *rand.Rand
	known []channelconfig.Endpoint // as the configuration names them
	order []channelconfig.Endpoint // known, shuffled
	next  int
}

// pick returns the endpoint to use now, false when there is none.
func (r *rotation) pick(current []channelconfig.Endpoint) (channelconfig.Endpoint, bool) {
	if len(current) == 0 {
		return channelconfig.Endpoint{}, false
	}
	if !sameEndpoints(r.known, current) {
		r.known = slices.Clone(current)
		r.order = slices.Clone(current)
		r.rand.Shuffle(len(r.order), func(i, j int) { r.order[i], r.order[j] = r.order[j], r.order[i] })
		r.next = 0
	}
	return r.order[r.next%len(r.order)], true
}

// advance turns to the next endpoint.
func (r *rotation) advance() { r.next++ }

func sameEndpoints(a, b []channelconfig.Endpoint) bool {
	return slices.EqualFunc(a, b, func(x, y channelconfig.Endpoint) bool {
		return x.Address == y.Address && x.MSPID == y.MSPID && slices.EqualFunc(x.TLSRoots, y.TLSRoots, bytes.Equal)
	})
}
