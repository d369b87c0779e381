// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weft-p2p/weft/internal/devnet"
	"github.com/weft-p2p/weft/internal/devnet/netdir"
)

func newDevnet() *cobra.Command {
	return newGroup("devnet", "Make the files of a development network", newDevnetInit())
}

func newDevnetInit() *cobra.Command {
	plan, replace := netdir.DefaultPlan(), false
	c := &cobra.Command{
		Use:   "init DIR",
		Short: "Make a folder with everything that a network on this machine needs",
		Long: `Make DIR with a development network whose processes all run on this machine: organizations with their MSP folders and
TLS certificates as cryptogen lays them out (crypto/), an ordering service (orderer/), a folder with a core.yaml for each
peer (org1-peer0/, ...), and the genesis block of one channel. DIR must be missing or empty.

Everything listens on 127.0.0.1. Peer ports are counted up from --base-port (TCP and UDP) and --operations-port.
The first peer of each organization is its anchor. Nothing in DIR is fit for production: the keys of the certificate
authorities are thrown away, and DIR holds every private key of the network.`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := plan.Validate(); err != nil {
				return usage(c, err)
			}
			err := netdir.Init(c.Context(), args[0], plan, time.Now(), replace)
			if errors.Is(err, devnet.ErrChannel) {
				return usage(c, fmt.Errorf("--channel: %w", err))
			}
			if err != nil {
				return err
			}
			return explain(c.OutOrStdout(), args[0], plan)
		},
	}
	f := c.Flags()
	f.IntVar(&plan.Orgs, "orgs", plan.Orgs, "organizations with peers")
	f.IntVar(&plan.Peers, "peers", plan.Peers, "peers of each organization")
	f.StringVar(&plan.Channel, "channel", plan.Channel, "name of the channel")
	f.IntVar(&plan.OrdererPort, "orderer-port", plan.OrdererPort, "port of the ordering service")
	f.IntVar(&plan.BasePort, "base-port", plan.BasePort, "libp2p port of the first peer")
	f.IntVar(&plan.OperationsPort, "operations-port", plan.OperationsPort, "operations port of the first peer")
	f.BoolVar(&replace, "force", false, "replace an earlier development network in DIR, with its ledgers")
	return c
}

// explain prints what was made and the commands that start it.
func explain(w io.Writer, dir string, p netdir.Plan) error {
	at := func(names ...string) string { return quote(filepath.Join(append([]string{dir}, names...)...)) }
	var b strings.Builder
	fmt.Fprintf(&b, "Made a development network in %s: channel %s, %d organizations of %d peers, an ordering service at %s.\n",
		dir, p.Channel, p.Orgs, p.Peers, p.OrdererAddress())
	fmt.Fprintf(&b, "Start it, each command in a terminal of its own:\n\n  weft orderer %s --blocks 100 --rate 5\n", quote(netdir.OrdererDir(dir)))
	members := p.Members()
	for _, m := range members {
		fmt.Fprintf(&b, "  FABRIC_CFG_PATH=%s weft node start --join %s\n", at(m.Folder), at(p.BlockFile()))
	}
	fmt.Fprintf(&b, "\nLook at it:\n\n  FABRIC_CFG_PATH=%s weft channel getinfo -c %s\n", at(members[0].Folder), p.Channel)
	_, err := io.WriteString(w, b.String())
	return err
}

// quote makes a word that a shell takes as it is.
func quote(word string) string {
	plain := strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%,")
	if word != "" && plain == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
