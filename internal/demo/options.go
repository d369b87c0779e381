// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Options say what network to run and what to order.
type Options struct {
	Orgs         int     // organizations
	Peers        int     // peers of each
	Blocks       int     // blocks to order
	BlockSize    int     // bytes of a block, about
	Rate         float64 // blocks a second
	Transactions string  // folder of recorded blocks whose transactions are ordered instead; empty: random ones
	Live         bool    // Out is a terminal: refresh a table instead of adding lines
	JSON         bool    // write one object to Object at the end

	Out    io.Writer // what happens, and the summary
	Object io.Writer
	Log    *slog.Logger
}

// Bounds of the options: what a machine of two cores can still show.
const (
	maxPeers     = 200
	maxBlocks    = 100_000
	minBlockSize = 2 << 10
	maxBlockSize = 8 << 20
	maxRate      = 1000
	perBlock     = 10 // transactions of a block
)

// Validate returns every option that cannot work.
func (o Options) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(o.Orgs >= 1 && o.Peers >= 1 && o.Orgs*o.Peers <= maxPeers, "--orgs %d with --peers %d: want at least one of each and at most %d peers in all", o.Orgs, o.Peers, maxPeers)
	check(o.Blocks >= 1 && o.Blocks <= maxBlocks, "--blocks %d: want 1 to %d", o.Blocks, maxBlocks)
	check(o.BlockSize >= minBlockSize && o.BlockSize <= maxBlockSize, "--block-size %d: want %d to %d bytes", o.BlockSize, minBlockSize, maxBlockSize)
	check(o.Rate > 0 && o.Rate <= maxRate, "--rate %g: want more than 0 and at most %d blocks a second", o.Rate, maxRate)
	return errors.Join(errs...)
}
