// SPDX-License-Identifier: Apache-2.0

package leader

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// DefaultMinBackoff is the first pause after a broken stream, as in Fabric.
	DefaultMinBackoff = 100 * time.Millisecond
	// DefaultMaxBackoff is Fabric's default of peer.deliveryclient.reConnectBackoffThreshold.
	DefaultMaxBackoff = time.Hour

	// growth is Fabric's: with a fifth more each time the pause stays near a sixth of the outage so far, so that a short outage is noticed
	// to be over soon and a long one is not polled to death.
	growth = 1.2
)

// Backoff bounds the pause between two streams. The pause grows from Min to Max, and a random part of up to half of it is taken off, so
// that the peers of a network do not return to a restarted orderer all at once.
type Backoff struct {
	Min time.Duration // default 100 ms
	Max time.Duration // default 1 h; peer.deliveryclient.reConnectBackoffThreshold
}

func (b Backoff) normalize() (Backoff, error) {
	if b.Min < 0 || b.Max < 0 {
		return b, errors.New("leader: a back-off cannot be negative")
	}
	if b.Min == 0 {
		b.Min = DefaultMinBackoff
	}
	if b.Max == 0 {
		b.Max = max(DefaultMaxBackoff, b.Min)
	}
	if b.Max < b.Min {
		return b, fmt.Errorf("leader: the longest back-off (%v) is below the shortest (%v)", b.Max, b.Min)
	}
	return b, nil
}

// pauses yields the pause after each failure in a row. The jitter comes from the caller's random source, not from the library's global one.
type pauses struct {
	steps backoff.ExponentialBackOff
	rand  *rand.Rand
}

func newPauses(b Backoff, r *rand.Rand) *pauses {
	p := &pauses{rand: r, steps: backoff.ExponentialBackOff{InitialInterval: b.Min, MaxInterval: b.Max, Multiplier: growth}}
	p.steps.Reset()
	return p
}

// next returns a pause in [step/2, step].
func (p *pauses) next() time.Duration {
	step := p.steps.NextBackOff()
	half := step / 2
	return half + time.Duration(p.rand.Int64N(int64(step-half)+1))
}

func (p *pauses) reset() { p.steps.Reset() }
