// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"context"
	"math"
	"time"
)

// yieldBytes is in what parts answers are written: what has been handed to a stream cannot be taken back. While there is not
// room for all, a part goes out as often as there is room for it.
const yieldBytes = 16 << 10

// yield waits a little while something more urgent has the uplink. Its error is ctx's.
type yield func(ctx context.Context) error

// yield lets new blocks go before catch-up. While these are relayed, answers take turns, in which each waits until there is room
// for what it sends.
func (s *Server) yield(ctx context.Context) error {
	if math.IsInf(s.room(), 1) {
		return nil
	}
	select {
	case s.yields <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.yields }()
	timer := time.NewTimer(time.Duration(yieldBytes / s.room() * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Server) room() float64 {
	if s.Room == nil {
		return math.Inf(1)
	}
	return s.Room()
}
