// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/weft-p2p/weft/internal/admin"
	"github.com/weft-p2p/weft/internal/operations"
)

func newVersion() *cobra.Command {
	a, node := asker{output: table}, false
	c := &cobra.Command{
		Use: "version", Short: "Show the version of this command, or of a running node",
		Long: "Show the version of this command; with --node or --socket, that of the running node, with its peer ID and organization.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			v := admin.Version{Version: ownVersion().Version, CommitSHA: ownVersion().CommitSHA, Go: runtime.Version(), OSArch: runtime.GOOS + "/" + runtime.GOARCH}
			if node || a.socket != "" {
				client, err := a.client()
				if err != nil {
					return err
				}
				if v, err = client.Version(c.Context()); err != nil {
					return err
				}
			}
			if a.output == asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(v)
			}
			return showVersion(c.OutOrStdout(), v)
		},
	}
	c.Flags().BoolVar(&node, "node", false, "ask the running node")
	a.flags(c)
	return c
}

// ownVersion is what this program was built from, as far as the build says.
func ownVersion() operations.Version {
	v := operations.Version{Version: "unknown", CommitSHA: "unknown"}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if build.Main.Version != "" {
		v.Version = build.Main.Version
	}
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" {
			v.CommitSHA = s.Value
		}
	}
	return v
}

func showVersion(w io.Writer, v admin.Version) error {
	_, err := fmt.Fprintf(w, "weft:\n Version: %s\n Commit SHA: %s\n Go version: %s\n OS/Arch: %s\n", v.Version, v.CommitSHA, v.Go, v.OSArch)
	if err == nil && v.PeerID != "" {
		_, err = fmt.Fprintf(w, " Peer ID: %s\n MSP ID: %s\n", v.PeerID, v.MSPID)
	}
	return err
}
