// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/weft-p2p/weft/internal/admin"
	"github.com/weft-p2p/weft/internal/coreyaml"
	"github.com/weft-p2p/weft/internal/daemon"
)

// asker is what the commands have in common that ask a running node.
type asker struct {
	socket string
	output output
}

// newAsking makes a command that asks a node. It prints the value that ask returns as JSON, or calls show for people.
func newAsking[T any](use, short, long string, args cobra.PositionalArgs, ask func(*cobra.Command, *admin.Client, []string) (T, error), show func(io.Writer, T) error) *cobra.Command {
	a := asker{output: table}
	c := &cobra.Command{
		Use: use, Short: short, Long: long, Args: usageArgs(args),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			value, err := ask(c, client, args)
			if err != nil {
				return err
			}
			if a.output == asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(value)
			}
			return show(c.OutOrStdout(), value)
		},
	}
	a.flags(c)
	return c
}

func (a *asker) flags(c *cobra.Command) {
	c.Flags().StringVar(&a.socket, "socket", "", "administration socket of the node, `PATH`; default: in the data directory that core.yaml names")
	c.Flags().Var(&a.output, "output", "how to print the result: table or json")
}

// client returns a client of the node.
func (a *asker) client() (*admin.Client, error) {
	if a.socket != "" {
		return admin.NewClient(a.socket), nil
	}
	dir, err := coreyaml.FindDataDir(coreyaml.Options{Env: os.Environ()})
	if errors.Is(err, coreyaml.ErrNotFound) {
		return nil, fmt.Errorf("%w, or name the socket of the node with --socket", err)
	}
	if err != nil {
		return nil, err
	}
	return admin.NewClient(daemon.SocketPath(dir)), nil
}

// output is a flag for how results are printed.
type output string

const (
	table  output = "table"
	asJSON output = "json"
)

func (o *output) String() string { return string(*o) }

func (*output) Type() string { return "table|json" }

func (o *output) Set(text string) error {
	switch v := output(text); v {
	case table, asJSON:
		*o = v
		return nil
	default:
		return fmt.Errorf("%q is no output; write %s or %s", text, table, asJSON)
	}
}

// channelFlag adds -c, which is required.
func channelFlag(c *cobra.Command) *cobra.Command {
	c.Flags().StringP("channelID", "c", "", "`NAME` of the channel")
	inner := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if channelOf(c) == "" {
			return usage(c, errors.New("-c NAME, the channel, is missing"))
		}
		return inner(c, args)
	}
	return c
}

// channelOf is what -c says.
func channelOf(c *cobra.Command) string { return c.Flag("channelID").Value.String() }
