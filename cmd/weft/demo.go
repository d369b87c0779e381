// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/weft-p2p/weft/internal/demo"
)

func newDemo() *cobra.Command {
	o := demo.Options{Orgs: 3, Peers: 3, Blocks: 100, BlockSize: 64 << 10, Rate: 10}
	size := byteSize{&o.BlockSize}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run a whole network in this process and watch blocks spread",
		Long: `Run organizations, their peers and an ordering service in this process, on loopback sockets, with certificates and a
genesis block made on the spot; order blocks, show how they reach every peer, let one more peer join half-way.
The exit code is 0 only if every peer holds every block with the same head hash.

With --transactions the ordinary transactions of recorded blocks (block-NNNNNN.pb) are ordered again, on their own channel
with its organizations; the demo's peers are further organizations of it.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.Validate(); err != nil {
				return usage(c, err)
			}
			o.Out, o.Object = c.OutOrStdout(), c.OutOrStdout()
			if o.JSON {
				o.Out = c.ErrOrStderr()
			}
			o.Live = isTerminal(o.Out)
			o.Log = slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			return demo.Run(c.Context(), o)
		},
	}
	f := c.Flags()
	f.IntVar(&o.Orgs, "orgs", o.Orgs, "organizations")
	f.IntVar(&o.Peers, "peers", o.Peers, "peers of each organization")
	f.IntVar(&o.Blocks, "blocks", o.Blocks, "blocks to order")
	f.Var(size, "block-size", "bytes of a block, about; KiB and MiB may follow the number")
	f.Float64Var(&o.Rate, "rate", o.Rate, "blocks a second")
	f.StringVar(&o.Transactions, "transactions", "", "order the transactions in the block files of `DIR` instead of random ones")
	f.BoolVar(&o.JSON, "json", false, "write one JSON object to standard output, everything else to standard error")
	return c
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// byteSize is a flag for a number of bytes: 65536, 64KiB, 1MiB.
type byteSize struct{ n *int }

func (b byteSize) String() string {
	if b.n == nil {
		return ""
	}
	return strconv.Itoa(*b.n)
}

func (byteSize) Type() string { return "bytes" }

func (b byteSize) Set(text string) error {
	unit := 1
	number, found := strings.CutSuffix(text, "KiB")
	if found {
		unit = 1 << 10
	} else if number, found = strings.CutSuffix(text, "MiB"); found {
		unit = 1 << 20
	}
	n, err := strconv.ParseUint(number, 10, 30)
	if err != nil {
		return fmt.Errorf("%q is no size; write bytes, or a number with KiB or MiB", text)
	}
	*b.n = int(n) * unit
	return nil
}
