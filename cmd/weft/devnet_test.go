// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDevnetInitPrintsWhatToRun(t *testing.T) {
	t.Chdir(t.TempDir())
	code, stdout, stderr := execute("devnet", "init", "my net", "--orgs", "3", "--peers", "1", "--channel", "orders")
	require.Equal(t, exitOK, code, stderr)
	require.Empty(t, stderr)
	require.Contains(t, stdout, "channel orders, 3 peers, an ordering service at 127.0.0.1:7050.\n")
	require.Contains(t, stdout, "\n  weft orderer 'my net/orderer' --blocks ")
	require.Contains(t, stdout, "\n  FABRIC_CFG_PATH='my net/org3-peer0' weft node start --join 'my net/orders.block'\n")
	require.Equal(t, 3, strings.Count(stdout, "weft node start"))
	require.FileExists(t, "my net/orders.block")
}

func TestDevnetInitPrintsJSON(t *testing.T) {
	t.Chdir(t.TempDir())
	code, stdout, stderr := execute("devnet", "init", "net", "--orgs", "1", "--peers", "2", "--output", "json")
	require.Equal(t, exitOK, code, stderr)
	require.JSONEq(t, `{
		"folder": "net", "channel": "mychannel", "genesis": "net/mychannel.block",
		"orderer": {"folder": "net/orderer", "address": "127.0.0.1:7050"},
		"peers": [
			{"folder": "net/org1-peer0", "address": "127.0.0.1:7061", "operations": "127.0.0.1:9543"},
			{"folder": "net/org1-peer1", "address": "127.0.0.1:7062", "operations": "127.0.0.1:9544"}
		]
	}`, stdout)
}

func TestDevnetInitUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	taken := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(taken, "file"), nil, 0o600))
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no folder":       {nil, exitUsage, "accepts 1 arg(s), received 0"},
		"two folders":     {[]string{"a", "b"}, exitUsage, "accepts 1 arg(s), received 2"},
		"no peers":        {[]string{"net", "--peers", "0"}, exitUsage, "at least one"},
		"no number":       {[]string{"net", "--orgs", "many"}, exitUsage, "invalid argument \"many\""},
		"a bad channel":   {[]string{"net", "--channel", "Orders"}, exitUsage, "--channel: devnet: bad channel description"},
		"one port twice":  {[]string{"net", "--orderer-port", "9543"}, exitUsage, "port 9543 of the ordering service and ports 9543 to 9546 of the operations listeners overlap"},
		"a taken folder":  {[]string{taken}, exitError, "is not empty; choose another one, or --force"},
		"another's files": {[]string{taken, "--force"}, exitError, "which --force does not replace"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := execute(append([]string{"devnet", "init"}, tt.args...)...)
			require.Equal(t, tt.code, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, tt.want)
			require.Equal(t, code == exitUsage, strings.Contains(stderr, "weft devnet init --help"))
		})
	}
	require.NoDirExists(t, "net")
}
