// SPDX-License-Identifier: Apache-2.0

package repo_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const rulesPage = "docs/spec/fabric-rules.md"

// testName matches the name of a test in backticks.
var testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9_]*)`")

// Every rule of the table has tests, and what the table names is there.
func TestRulesHaveTests(t *testing.T) {
	tests := testNames(t)
	rules := 0
	for line := range strings.Lines(read(t, rulesPage)) {
		for _, m := range testName.FindAllStringSubmatch(line, -1) {
			require.True(t, tests[m[1]], "%s names %s, which is no test", rulesPage, m[1])
		}
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 4 || cells[0] == "rule" || strings.HasPrefix(cells[0], "---") {
			continue
		}
		rules++
		require.Regexp(t, testName, cells[3], "rule %s has no test", cells[0])
		_, err := os.Stat(filepath.Join(root, filepath.FromSlash(cells[2])))
		require.NoError(t, err, "rule %s is implemented nowhere", cells[0])
	}
	require.Greater(t, rules, 40)
}

// pagesOfTests are other pages that name tests.
var pagesOfTests = []string{"SECURITY.md", "docs/security-tests.md", "docs/deliver-tests.md", "docs/spec/deliver.md", "docs/spec/limits.md"}

// What a page says that a test shows, a test shows.
func TestPagesNameTests(t *testing.T) {
	tests := testNames(t)
	for _, page := range pagesOfTests {
		names := testName.FindAllStringSubmatch(read(t, page), -1)
		require.NotEmpty(t, names, page)
		for _, m := range names {
			require.True(t, tests[m[1]], "%s names %s, which is no test", page, m[1])
		}
	}
}

// testNames are the names of all tests and benchmarks of the tree.
func testNames(t *testing.T) map[string]bool {
	tests := map[string]bool{}
	for _, f := range goFiles(t) {
		for _, d := range f.tree.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.test() && fn.Recv == nil {
				tests[fn.Name.Name] = true
			}
		}
	}
	return tests
}
