// SPDX-License-Identifier: Apache-2.0

package repo_test

import (
	"go/ast"
	"go/parser"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// leastSeeds is how many inputs each fuzz target has in its testdata, at least.
const leastSeeds = 3

// TestFuzzTargetsHaveSeeds: every target has a corpus that is committed, and every file of it is one that Go reads; a file
// that it cannot read would fail the target, one of a target that is gone would be read by nobody.
func TestFuzzTargetsHaveSeeds(t *testing.T) {
	targets, files := map[string]bool{}, goFiles(t)
	for _, f := range files {
		for _, d := range f.tree.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !f.test() || !strings.HasPrefix(fn.Name.Name, "Fuzz") {
				continue
			}
			dir := filepath.Join(root, filepath.FromSlash(f.dir()), "testdata", "fuzz", fn.Name.Name)
			targets[dir] = true
			seeds, err := filepath.Glob(filepath.Join(dir, "*"))
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(seeds), leastSeeds, "seeds of %s of %s, in files below testdata/fuzz", fn.Name.Name, f.dir())
			for _, seed := range seeds {
				requireSeed(t, seed)
			}
		}
	}
	require.Greater(t, len(targets), 30)
	requireNoOtherSeeds(t, files, targets)
}

func requireSeed(t *testing.T, file string) {
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	require.Equal(t, "go test fuzz v1", lines[0], file)
	require.Greater(t, len(lines), 1, file)
	for _, line := range lines[1:] {
		_, err := parser.ParseExpr(line)
		require.NoError(t, err, file)
	}
}

func requireNoOtherSeeds(t *testing.T, files []goFile, targets map[string]bool) {
	for _, f := range files {
		dirs, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(f.dir()), "testdata", "fuzz", "*"))
		require.NoError(t, err)
		for _, dir := range dirs {
			require.True(t, targets[dir], "%s belongs to no target", dir)
		}
	}
}
