// SPDX-License-Identifier: Apache-2.0

package host

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// doubleTime is how long a second connection to a peer lives on at least. Hosts that dial each other at once keep two: that is rare
// where the turns of the plan hold, and on a busy machine, where a handshake takes seconds, one in four. What carries nothing costs as
// much memory as what does, some 45 KB at either end.
const doubleTime = 20 * time.Second

// tidy closes second connections when it is time to look for them, and returns when that is.
func (r *keeping) tidy(now time.Time) (wake time.Time) {
	if r.look.IsZero() || r.look.After(now) {
		return r.look
	}
	r.look = time.Time{}
	for _, id := range r.cfg.Host.Network().Peers() {
		conns := r.cfg.Host.Network().ConnsToPeer(id)
		if len(conns) < 2 {
			continue
		}
		for _, c := range unused(conns) {
			if age := now.Sub(c.Stat().Opened); age < doubleTime/2 {
				r.look = now.Add(doubleTime)
				continue
			}
			r.attempts.Go(func() {
				if err := c.Close(); err != nil {
					r.cfg.Log.Debug("second connection not closed", "peer", id, "err", err)
				}
			})
		}
	}
	return r.look
}

// unused are those of several connections that carry no stream. Nobody will open one there, for libp2p takes the connection that has
// most. If none has any, the other end may choose otherwise than we do: then they stay.
func unused(conns []network.Conn) (idle []network.Conn) {
	for _, c := range conns {
		if len(c.GetStreams()) == 0 {
			idle = append(idle, c)
		}
	}
	if len(idle) == len(conns) {
		return nil
	}
	return idle
}
