// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-p2p/weft/internal/admin"
	"github.com/weft-p2p/weft/leader"
)

// calm is how long no block must have come from an ordering service, which does not tell its height, to be called caught up.
const calm = 500 * time.Millisecond

func newChannelJoin() *cobra.Command {
	var (
		path string
		stay bool
	)
	c := newAsking("join -b FILE [--wait]", "Join the channel of a genesis block",
		`Join the channel of a genesis block, which the node then trusts. The node joins it again at every start.
With --wait the command ends when the node has caught up: when it has every block that a member claims to have or, without
other members, when the ordering service has nothing more to give.`, cobra.NoArgs,
		func(c *cobra.Command, node *admin.Client, _ []string) (admin.Status, error) {
			raw, err := readGenesis(path)
			if err != nil {
				return admin.Status{}, err
			}
			s, err := node.Join(c.Context(), raw)
			if err != nil || !stay {
				return s, err
			}
			p := newProgress(c.ErrOrStderr(), "blocks", time.Now())
			return wait{node: node, channel: s.Channel, progress: p, until: caughtUp}.run(c.Context())
		},
		func(w io.Writer, s admin.Status) error {
			_, err := fmt.Fprintf(w, "Joined channel %s, height %d.\n", s.Channel, s.Height)
			return err
		})
	c.Flags().StringVarP(&path, "blockpath", "b", "", "`FILE` with the genesis block")
	c.Flags().BoolVar(&stay, "wait", false, "wait until the node has caught up, and show how far it is")
	inner := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if path == "" {
			return usage(c, errors.New("-b FILE, the genesis block, is missing"))
		}
		return inner(c, args)
	}
	return c
}

func readGenesis(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("genesis block: %w", err)
	}
	defer f.Close()
	raw, err := readCapped(f)
	if err != nil {
		return nil, fmt.Errorf("genesis block %s: %w", path, err)
	}
	return raw, nil
}

// caughtUp says whether a channel whose height has not grown for a while has all that there is. Somebody must be there to say so.
func caughtUp(s admin.Status, quiet time.Duration) bool {
	if s.Lag > 0 {
		return false
	}
	if slices.ContainsFunc(s.Peers, func(p admin.Peer) bool { return p.Alive }) {
		return true
	}
	return s.Source != nil && s.Source.State == leader.Streaming.String() && quiet >= calm
}
