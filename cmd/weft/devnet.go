// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
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
	plan, replace, format := netdir.DefaultPlan(), false, table
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
			m := newMade(args[0], plan)
			if format == asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(m)
			}
			return m.explain(c.OutOrStdout())
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
	f.Var(&format, "output", "how to print what was made: table, with the commands to run next, or json")
	return c
}

// made says what there is now, and where.
type made struct {
	Folder  string     `json:"folder"`
	Channel string     `json:"channel"`
	Genesis string     `json:"genesis"` // block file for peers
	Orderer madeNode   `json:"orderer"`
	Peers   []madeNode `json:"peers"`
}

// madeNode is one process to start.
type madeNode struct {
	Folder     string `json:"folder"`
	Address    string `json:"address"`              // of the ordering service, or of libp2p
	Operations string `json:"operations,omitempty"` // of the operations listener
}

func newMade(dir string, p netdir.Plan) made {
	m := made{
		Folder: dir, Channel: p.Channel, Genesis: filepath.Join(dir, p.BlockFile()),
		Orderer: madeNode{Folder: netdir.OrdererDir(dir), Address: p.OrdererAddress()},
	}
	for _, peer := range p.Members() {
		m.Peers = append(m.Peers, madeNode{Folder: filepath.Join(dir, peer.Folder), Address: peer.Address, Operations: peer.Operations})
	}
	return m
}

// explain prints the commands that start it.
func (m made) explain(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Made a development network in %s: channel %s, %d peers, an ordering service at %s.\n",
		m.Folder, m.Channel, len(m.Peers), m.Orderer.Address)
	fmt.Fprintf(&b, "Start it, each command in a terminal of its own:\n\n  weft orderer %s --blocks 100 --rate 5\n", quote(m.Orderer.Folder))
	for _, p := range m.Peers {
		fmt.Fprintf(&b, "  FABRIC_CFG_PATH=%s weft node start --join %s\n", quote(p.Folder), quote(m.Genesis))
	}
	fmt.Fprintf(&b, "\nLook at it:\n\n  FABRIC_CFG_PATH=%s weft channel getinfo -c %s\n", quote(m.Peers[0].Folder), m.Channel)
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
