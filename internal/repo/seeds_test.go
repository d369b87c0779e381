// SPDX-License-Identifier: Apache-2.0

package repo_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPropertiesHaveFixedSeeds: a package with property tests fixes their seed in its TestMain, so that the default run draws
// the same each time.
func TestPropertiesHaveFixedSeeds(t *testing.T) {
	fixed, drawn := map[string]bool{}, map[string]bool{}
	for _, f := range goFiles(t) {
		if !f.test() {
			continue
		}
		if slices.ContainsFunc(f.tree.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"pgregory.net/rapid"` }) {
			drawn[f.dir()] = true
		}
		if slices.ContainsFunc(f.lines, func(l string) bool { return strings.TrimSpace(l) == "chance.Fix()" }) {
			fixed[f.dir()] = true
		}
	}
	require.Greater(t, len(drawn), 10)
	for dir := range drawn {
		require.True(t, fixed[dir], "%s has property tests: call chance.Fix in its TestMain", dir)
	}
}
