// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// TestThePageHasEveryCommand compares docs/cli.md with the command tree: a section for each command, a row for each flag.
func TestThePageHasEveryCommand(t *testing.T) {
	raw, err := os.ReadFile("../../docs/cli.md")
	require.NoError(t, err)
	page := string(raw)
	shared := section(page, "## Asking a running node")
	documented := strings.Count(page, "\n### `weft ")
	for _, c := range leaves(newRoot()) {
		documented--
		text := section(page, "### `"+c.CommandPath())
		require.NotEmpty(t, text, c.CommandPath())
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "socket" || f.Name == "output" && c.Flag("socket") != nil {
				require.Contains(t, shared, "`--"+f.Name+" ", c.CommandPath())
			} else {
				require.Contains(t, text, "--"+f.Name, c.CommandPath())
			}
		})
	}
	require.Zero(t, documented, "a section of a command that there is not")
}

// leaves are the commands that do something.
func leaves(c *cobra.Command) []*cobra.Command {
	if !c.HasSubCommands() {
		return []*cobra.Command{c}
	}
	var all []*cobra.Command
	if c.Flags().Lookup("output") != nil { // it has a command below it, and does something itself
		all = append(all, c)
	}
	for _, child := range c.Commands() {
		all = append(all, leaves(child)...)
	}
	return all
}

// section is the text from a heading to the next one, "" when the page has no such heading.
func section(page, heading string) string {
	_, text, _ := strings.Cut(page, "\n"+heading)
	text, _, _ = strings.Cut(text, "\n##")
	return text
}
