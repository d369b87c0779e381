// SPDX-License-Identifier: Apache-2.0

package repo_test

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	maxLines    = 450 // of a file that is neither a test nor generated
	maxFunction = 60  // lines, likewise
	maxMost     = 40  // 99 of 100 functions have at most so many
)

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	documented := map[string][]string{}
	for _, f := range goFiles(t) {
		if f.test() {
			continue
		}
		before := documented[f.dir()]
		if f.tree.Doc == nil {
			documented[f.dir()] = before
			continue
		}
		documented[f.dir()] = append(before, f.path)
		begin := "Package " + f.tree.Name.Name + " "
		if f.tree.Name.Name == "main" {
			begin = "Command " + f.dir()[strings.LastIndex(f.dir(), "/")+1:] + " "
		}
		require.True(t, strings.HasPrefix(f.tree.Doc.Text(), begin), "the package comment in %s does not begin with %q", f.path, begin)
	}
	for dir, files := range documented {
		require.Len(t, files, 1, "files with the package comment of %s", dir)
	}
}

func TestEveryFileNamesItsLicense(t *testing.T) {
	for _, f := range goFiles(t) {
		require.Equal(t, "// SPDX-License-Identifier: Apache-2.0", f.lines[0], f.path)
	}
	for _, name := range list(t, ".proto") {
		require.True(t, strings.HasPrefix(read(t, name), "// SPDX-License-Identifier: Apache-2.0\n"), name)
	}
}

// Imports stand in three groups: the standard library's, other modules', and our own.
func TestImportsAreGrouped(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.generated() {
			continue
		}
		for i := 1; i < len(f.tree.Imports); i++ {
			before, this := f.tree.Imports[i-1], f.tree.Imports[i]
			gap := f.set.Position(this.Pos()).Line - f.set.Position(before.Pos()).Line
			from, to := group(before), group(this)
			require.LessOrEqual(t, from, to, "order of groups at %s", at(f, this))
			require.Equal(t, to > from, gap > 1, "an empty line between groups and nowhere else, at %s", at(f, this))
		}
	}
}

// group says which group an import belongs to.
func group(spec *ast.ImportSpec) int {
	name := strings.Trim(spec.Path.Value, `"`)
	first, _, _ := strings.Cut(name, "/")
	switch _, ours := inModule(name); {
	case ours:
		return 2
	case strings.Contains(first, "."):
		return 1
	}
	return 0
}

func TestFilesAreSmall(t *testing.T) {
	for _, f := range goFiles(t) {
		if !f.test() && !f.generated() {
			require.LessOrEqual(t, len(f.lines), maxLines, "lines of %s", f.path)
		}
	}
}

func TestFunctionsAreSmall(t *testing.T) {
	var lengths []int
	for _, f := range goFiles(t) {
		if f.test() || f.generated() {
			continue
		}
		for _, d := range f.tree.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			n := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1
			require.LessOrEqual(t, n, maxFunction, "lines of %s in %s", fn.Name, f.path)
			lengths = append(lengths, n)
		}
	}
	slices.Sort(lengths)
	require.LessOrEqual(t, lengths[len(lengths)*99/100], maxMost, "lines of the function that is longer than 99 of 100")
}

// Work that is left is an issue, not a note in the code.
func TestNothingIsLeftForLater(t *testing.T) {
	notes := []string{"TO" + "DO", "FIX" + "ME", "X" + "XX"}
	for _, ending := range []string{".go", ".proto", ".md"} {
		for _, name := range list(t, ending) {
			text := read(t, name)
			for _, note := range notes {
				require.NotContains(t, text, note, name)
			}
		}
	}
}

// Code waits for events and timers. Tests sleep in virtual time alone: where one sleeps, the package uses synctest.
func TestNothingSleeps(t *testing.T) {
	sleeps, virtual := map[string]string{}, map[string]bool{}
	for _, f := range goFiles(t) {
		for _, spec := range f.tree.Imports {
			virtual[f.dir()] = virtual[f.dir()] || spec.Path.Value == `"testing/synctest"`
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			if selects(n, "time", "Sleep") {
				require.True(t, f.test(), "%s sleeps", at(f, n))
				sleeps[f.dir()] = at(f, n)
			}
			require.False(t, f.test() && (selects(n, "require", "Eventually") || selects(n, "assert", "Eventually")), "%s polls", at(f, n))
			return true
		})
	}
	for dir, where := range sleeps {
		require.True(t, virtual[dir], "%s sleeps, and package %s knows no virtual time", where, dir)
	}
}

func selects(n ast.Node, pkg, name string) bool {
	s, ok := n.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg
}

func at(f goFile, n ast.Node) string {
	if n == nil {
		return f.path
	}
	return fmt.Sprintf("%s:%d", f.path, f.set.Position(n.Pos()).Line)
}
