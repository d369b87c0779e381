// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/libp2p/go-libp2p/gologshim"
	"github.com/spf13/cobra"

	"github.com/weft-p2p/weft/internal/coreyaml"
	"github.com/weft-p2p/weft/internal/daemon"
	"github.com/weft-p2p/weft/internal/logspec"
)

func newNode() *cobra.Command {
	return newGroup("node", "Run a peer", newNodeStart())
}

func newNodeStart() *cobra.Command {
	var join []string
	c := &cobra.Command{
		Use:   "start [--join FILE...]",
		Short: "Run a peer until it is told to stop",
		Long: `Run a peer, set up by core.yaml in FABRIC_CFG_PATH (or else the working directory, or /etc/hyperledger/fabric) and by the
CORE_ variables of the environment, which override it. A stock core.yaml of a Fabric peer will do. The node joins the channels
that it was in before. The commands "weft channel" and "weft peers" administer it while it runs.

The log goes to standard error. FABRIC_LOGGING_SPEC says what of it (info, or info:weft=debug), FABRIC_LOGGING_FORMAT=json makes
it JSON. A renewed certificate in the MSP folder is taken into use within two minutes, or at SIGHUP. Ctrl-C or SIGTERM ends the node within 5 seconds, with exit code 0.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return startNode(c.Context(), join, c.ErrOrStderr())
		},
	}
	c.Flags().StringArrayVar(&join, "join", nil, "join the channel of the genesis block in `FILE`, unless it is joined already; may be repeated")
	return c
}

// startNode runs a node until ctx ends.
func startNode(ctx context.Context, join []string, stderr io.Writer) error {
	handler, err := newLog(stderr)
	if err != nil {
		return err
	}
	if stderr == os.Stderr { // the process is ours
		gologshim.SetDefaultHandler(demoted{handler})
	}
	core, err := coreyaml.Load(coreyaml.Options{Env: os.Environ()})
	if err != nil {
		return err
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	d, err := daemon.New(daemon.Config{
		Hangup: hangup, Core: core, Join: join, Version: ownVersion(), LogSpec: handler, Log: slog.New(handler).With("logger", "weft"),
	})
	if err != nil {
		return err
	}
	return d.Run(ctx)
}

// newLog makes the log that Fabric's variables ask for.
func newLog(w io.Writer) (*logspec.Handler, error) {
	format := logspec.Console
	if os.Getenv("FABRIC_LOGGING_FORMAT") == "json" {
		format = logspec.JSON
	}
	handler, err := logspec.New(cmp.Or(os.Getenv("FABRIC_LOGGING_SPEC"), "info"), w, format)
	if err != nil {
		return nil, fmt.Errorf("FABRIC_LOGGING_SPEC: %w", err)
	}
	return handler, nil
}
