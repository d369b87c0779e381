// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weft-p2p/weft/msp/channelconfig"
)

// A caught endpoint is left for barMin, and for twice as long each time it is caught again, up to barMax: an orderer that was repaired is
// back soon, and one that lies for ever costs little.
const (
	barMin = time.Minute
	barMax = time.Hour
)

// rotation goes through the endpoints of the channel in random order, past those that were caught lately. It starts over, in a new order,
// whenever the configuration names others, which also spreads the peers over the orderers again. Pure; not safe for concurrent use.
type rotation struct {
	rand  *rand.Rand
	known []channelconfig.Endpoint // as the configuration names them
	order []channelconfig.Endpoint // known, shuffled
	next  int
	bars  map[string]bar // by address, of endpoints that are known
}

// bar says until when an endpoint is left, and for how long that is.
type bar struct {
	until  time.Time
	length time.Duration
}

// pick returns the endpoint to use now, false when there is none. If all are barred, it is the one whose bar ends first: a liar is better
// than nobody, for what it brings is verified.
func (r *rotation) pick(now time.Time, current []channelconfig.Endpoint) (channelconfig.Endpoint, bool) {
	if len(current) == 0 {
		return channelconfig.Endpoint{}, false
	}
	r.take(current)
	best := r.next
	for i := range r.order {
		at := r.bars[r.at(r.next+i).Address].until
		if !at.After(now) {
			best = r.next + i
			break
		}
		if at.Before(r.bars[r.at(best).Address].until) {
			best = r.next + i
		}
	}
	r.next = best % len(r.order)
	return r.at(best), true
}

// others returns the endpoints but the one that was picked, in the order of their turns, those that are barred last.
func (r *rotation) others(now time.Time) []channelconfig.Endpoint {
	var free, barred []channelconfig.Endpoint
	for i := 1; i < len(r.order); i++ {
		e := r.at(r.next + i)
		if r.bars[e.Address].until.After(now) {
			barred = append(barred, e)
		} else {
			free = append(free, e)
		}
	}
	return append(free, barred...)
}

func (r *rotation) at(i int) channelconfig.Endpoint { return r.order[i%len(r.order)] }

// take makes a new order when the endpoints are others. The bars of those that stay remain.
func (r *rotation) take(current []channelconfig.Endpoint) {
	if !sameEndpoints(r.known, current) {
		r.known = slices.Clone(current)
		r.order = slices.Clone(current)
		r.rand.Shuffle(len(r.order), func(i, j int) { r.order[i], r.order[j] = r.order[j], r.order[i] })
		r.next = 0
		maps.DeleteFunc(r.bars, func(address string, _ bar) bool {
			return !slices.ContainsFunc(current, func(e channelconfig.Endpoint) bool { return e.Address == address })
		})
	}
}

// bar leaves an endpoint for a while, and returns for how long.
func (r *rotation) bar(now time.Time, address string) time.Duration {
	length := min(max(barMin, 2*r.bars[address].length), barMax)
	if r.bars == nil {
		r.bars = map[string]bar{}
	}
	r.bars[address] = bar{now.Add(length), length}
	return length
}

// advance turns to the next endpoint.
func (r *rotation) advance() { r.next++ }

func sameEndpoints(a, b []channelconfig.Endpoint) bool { return slices.EqualFunc(a, b, sameEndpoint) }

func sameEndpoint(x, y channelconfig.Endpoint) bool {
	return x.Address == y.Address && x.MSPID == y.MSPID && slices.EqualFunc(x.TLSRoots, y.TLSRoots, bytes.Equal)
}
