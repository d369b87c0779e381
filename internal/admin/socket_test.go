// SPDX-License-Identifier: Apache-2.0

package admin_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/admin"
)

func TestSocketIsTheOwners(t *testing.T) {
	path := filepath.Join(shortDir(t), "admin.sock")
	l, err := admin.Listen(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.ModeSocket|0o600, info.Mode())
	require.NoError(t, l.Close())
	require.NoFileExists(t, path)
}

func TestSocketOfADeadProcessIsReplaced(t *testing.T) {
	l, err := admin.Listen(dead(t, shortDir(t)))
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func TestSocketThatCannotBeMade(t *testing.T) {
	dir := shortDir(t)
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("keep"), 0o600))
	live := filepath.Join(dir, "live")
	l, err := admin.Listen(live)
	require.NoError(t, err)
	defer l.Close()
	for name, c := range map[string]struct{ path, says string }{
		"a file is there": {file, "exists and is no socket"},
		"in use":          {live, "another process answers"},
		"too long":        {filepath.Join(dir, strings.Repeat("x", 200)), "choose a shorter weft.dataDir"},
		"no folder":       {filepath.Join(dir, "no", "socket"), "no such file"},
		"below a file":    {filepath.Join(file, "socket"), "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := admin.Listen(c.path)
			require.ErrorIs(t, err, admin.ErrSocket)
			require.ErrorContains(t, err, c.says)
		})
	}
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "keep", string(kept))
}
