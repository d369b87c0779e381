// SPDX-License-Identifier: Apache-2.0

package blocksync

import (
	"context"
	"time"
)

// While new blocks are relayed, all answers of a host together send yieldBytes every yieldFor: 410 KB/s. So little that new
// blocks have most of a link of 10 Mbit/s, and enough that six readers at a time are not cut off (minRate). What has been handed
// to a stream cannot be taken back, so that answers are written in parts of yieldBytes at any time.
const yieldBytes, yieldFor = 16 << 10, 40 * time.Millisecond

// yield waits a little while something more urgent has the uplink. Its error is ctx's.
type yield func(ctx context.Context) error

// yield lets new blocks go before catch-up. While these are relayed, answers take turns, in which each waits for yieldFor.
func (s *Server) yield(ctx context.Context) error {
	if s.Busy == nil || !s.Busy() {
		return nil
	}
	select {
	case s.yields <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.yields }()
	if !s.Busy() {
		return nil
	}
	timer := time.NewTimer(yieldFor)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
