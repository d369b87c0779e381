// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"math/rand/v2"
	"time"
)

// echoFirst is how long after its streams were opened the round trip to a peer is measured again, and echoEvery how often from
// then on. Many connect while a network forms, so that the first measurements are of busy machines. One that is longer than before is
// believed when echoDoubts in a row were: soon after the first, the same queues would stand in the way.
const (
	echoFirst, echoEvery = 10 * time.Second, 5 * time.Minute
	echoDoubts           = 4
)

// measure measures the round trip to the peer now and then, until end is called. ctx has to have ended before.
func (n *neighbour) measure(ctx context.Context, c *Carrier) (end func()) {
	timer := time.AfterFunc(jittered(echoFirst), n.echoes.wake)
	n.echoes.begin(func() error {
		n.echo(ctx, c)
		timer.Reset(jittered(echoEvery))
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

// echo measures one round trip.
func (n *neighbour) echo(ctx context.Context, c *Carrier) {
	s, rtt, err := n.hello(ctx, c, echoStream)
	if err != nil {
		c.Log.Debug("round trip not measured", "peer", n.id, "err", err)
		return
	}
	_ = s.Reset()
	if n.measured(rtt) {
		c.refresh()
	}
}
