// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"math/rand/v2"
	"time"
)

// echoFirst is how long after its streams were opened the round trip to a peer is measured again, and echoEvery how often from
// then on. Many connect while a network forms, so that the first measurements are of busy machines. One that was longer than before is
// repeated after echoSoon, and believed when echoDoubts were.
const (
	echoFirst, echoEvery, echoSoon = 10 * time.Second, 5 * time.Minute, 3 * time.Second
	echoDoubts                     = 3
)

// measure measures the round trip to the peer now and then, until end is called. ctx has to have ended before.
func (n *neighbour) measure(ctx context.Context, c *Carrier) (end func()) {
	timer := time.AfterFunc(jittered(echoFirst), n.echoes.wake)
	n.echoes.begin(func() error {
		next := echoEvery
		if n.echo(ctx, c) {
			next = echoSoon
		}
		timer.Reset(jittered(next))
		return nil
	}, nil)
	return func() {
		n.echoes.end()
		timer.Stop()
	}
}

// jittered is d plus or minus a fifth.
func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// echo measures one round trip; doubt says that it is to be repeated soon.
func (n *neighbour) echo(ctx context.Context, c *Carrier) (doubt bool) {
	s, rtt, err := n.hello(ctx, c, echoStream)
	if err != nil {
		c.Log.Debug("round trip not measured", "peer", n.id, "err", err)
		return false
	}
	_ = s.Reset()
	doubt, changed := n.measured(rtt)
	if changed {
		c.refresh()
	}
	return doubt
}
