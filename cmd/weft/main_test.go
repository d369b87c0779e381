// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUsage(t *testing.T) {
	tests := map[string]struct {
		args []string
		code int
		want string
	}{
		"no command":         {nil, exitUsage, "weft: a command is missing\nSee \"weft --help\".\n"},
		"no subcommand":      {[]string{"block"}, exitUsage, "weft: a command is missing\nSee \"weft block --help\".\n"},
		"unknown command":    {[]string{"unknown"}, exitUsage, "weft: unknown command \"unknown\" for \"weft\"\nSee \"weft --help\".\n"},
		"unknown subcommand": {[]string{"block", "unknown"}, exitUsage, "weft: unknown command \"unknown\" for \"weft block\"\nSee \"weft block --help\".\n"},
		"unknown flag":       {[]string{"--unknown"}, exitUsage, "weft: unknown flag: --unknown\nSee \"weft --help\".\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := execute(tt.args...)
			require.Equal(t, tt.code, code)
			require.Empty(t, stdout)
			require.Equal(t, tt.want, stderr)
		})
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help"}, {"block", "--help"}, {"block", "verify", "--help"}} {
		code, stdout, stderr := execute(args...)
		require.Equal(t, exitOK, code)
		require.Contains(t, stdout, "Usage:")
		require.Empty(t, stderr)
	}
}
