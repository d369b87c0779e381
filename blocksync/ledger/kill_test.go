// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/ledger"
)

// victimDir is the environment variable that turns the test binary into the process to be killed.
const victimDir = "WEFT_LEDGER_VICTIM"

// appendUntilKilled continues the chain of seed 1 and prints the height after each Append.
func appendUntilKilled(dir string) {
	l, err := ledger.Open(dir, victimOptions())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	c := newChain(1)
	c.add(int(l.Height()), 3000)
	for i := 0; ; i++ {
		if err := l.Append(c.add(1+i%3, 3000)...); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(l.Height())
	}
}

func victimOptions() ledger.Options {
	return ledger.Options{SegmentSize: 40_000, Channel: "ch"}.WithFlush(64)
}

// A process is killed in the middle of its appends, again and again on the same directory: what it reported is there.
func TestKilledProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := filepath.Join(t.TempDir(), "ledger")
	for round := range 6 {
		reported := killAfter(t, dir, 20+17*round)
		l, err := ledger.Open(dir, victimOptions())
		require.NoError(t, err)
		require.GreaterOrEqual(t, l.Height(), reported)
		c := newChain(1)
		c.add(int(l.Height()), 3000)
		requireBlocks(t, l, c.blocks)
		require.NoError(t, l.Close())
	}
}

// killAfter runs a victim for so many appends, kills it with SIGKILL and returns the last height that it reported.
func killAfter(t *testing.T, dir string, appends int) (height uint64) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	for lines := bufio.NewScanner(out); lines.Scan(); appends-- {
		height, err = strconv.ParseUint(lines.Text(), 10, 64)
		require.NoError(t, err, lines.Text())
		if appends == 0 {
			require.NoError(t, cmd.Process.Kill()) // it goes on appending until the signal arrives; its last lines are read too
		}
	}
	require.Error(t, cmd.Wait(), "it ended by itself")
	return height
}
