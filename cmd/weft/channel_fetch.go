// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-p2p/weft/internal/admin"
)

// fetched is what "channel fetch" has done.
type fetched struct {
	Channel string `json:"channel"`
	Block   string `json:"block"` // as it was asked for
	File    string `json:"file"`
	Bytes   int    `json:"bytes"`
}

func newChannelFetch() *cobra.Command {
	return channelFlag(newAsking("fetch NUMBER|oldest|newest|config -c NAME [FILE]", "Write a block of a channel to a file",
		`Write a committed block of a channel to FILE, by default NAME_NUMBER.block (NAME_newest.block and so on), as "peer channel
fetch" does. "config" is the last config block.`, fetchArgs,
		func(c *cobra.Command, node *admin.Client, args []string) (fetched, error) {
			f := fetched{Channel: channelOf(c), Block: args[0]}
			f.File = fmt.Sprintf("%s_%s.block", f.Channel, f.Block)
			if len(args) == 2 {
				f.File = args[1]
			}
			p := newProgress(c.ErrOrStderr(), "bytes", time.Now())
			defer p.leave()
			raw, err := node.Block(c.Context(), f.Channel, f.Block, func(done, total int64) {
				p.show(uint64(done), uint64(max(total, 0)), time.Now())
			})
			if err != nil {
				return f, err
			}
			f.Bytes = len(raw)
			p.end(uint64(f.Bytes), uint64(f.Bytes))
			if err := os.WriteFile(f.File, raw, 0o600); err != nil {
				return f, fmt.Errorf("write block: %w", err)
			}
			return f, nil
		},
		func(w io.Writer, f fetched) error {
			_, err := fmt.Fprintf(w, "Wrote block %s of channel %s, %d bytes, to %s.\n", f.Block, f.Channel, f.Bytes, f.File)
			return err
		}))
}

// fetchArgs checks the arguments of "channel fetch".
func fetchArgs(c *cobra.Command, args []string) error {
	if err := cobra.RangeArgs(1, 2)(c, args); err != nil {
		return err
	}
	if slices.Contains([]string{"oldest", "newest", "config"}, args[0]) {
		return nil
	}
	if _, err := strconv.ParseUint(args[0], 10, 64); err != nil {
		return fmt.Errorf("%q is no block; give a number, oldest, newest or config", args[0])
	}
	return nil
}
