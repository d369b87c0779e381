// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"context"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
)

// widen has w write on more streams once packets are lost, until end is called. ctx has to have ended before.
func (n *neighbour) widen(ctx context.Context, c *Carrier, w *writer) (end func()) {
	independent := len(w.data) > 1 // of others one is as good as many
	var more []network.Stream
	n.losses.begin(func() error {
		if !independent || len(more) > 0 {
			return nil
		}
		if more = n.openMore(ctx, c); len(more) > 0 {
			w.more <- w.outlets(more)
		}
		return nil
	}, nil)
	return func() {
		n.losses.end()
		for _, s := range more {
			_ = s.ResetWithError(network.StreamShutdown)
		}
	}
}

// openMore opens more streams for data, as many as the peer allows.
func (n *neighbour) openMore(ctx context.Context, c *Carrier) []network.Stream {
	opened := make([]network.Stream, lossyStreams-independentStreams)
	var all sync.WaitGroup
	for i := range opened {
		all.Go(func() {
			var err error
			if opened[i], _, err = n.hello(ctx, c, dataStream); err != nil {
				c.Log.Debug("one relay stream more not opened", "peer", n.id, "err", err)
			}
		})
	}
	all.Wait()
	return slices.DeleteFunc(opened, func(s network.Stream) bool { return s == nil })
}
