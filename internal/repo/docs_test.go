// SPDX-License-Identifier: Apache-2.0

package repo_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const maxReadme = 150 // lines

// link matches the target of a Markdown link, and what is behind # apart.
var link = regexp.MustCompile(`\]\(([^)#\s]*)(?:#[^)\s]*)?\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, name := range list(t, ".md") {
		for _, m := range link.FindAllStringSubmatch(read(t, name), -1) {
			target := m[1]
			if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			_, err := os.Stat(filepath.Join(root, filepath.FromSlash(path.Join(path.Dir(name), target))))
			require.NoError(t, err, "%s links to %s", name, target)
		}
	}
}

func TestIndexesAreComplete(t *testing.T) {
	for _, dir := range []string{"docs/spec", "docs/adr"} {
		index := read(t, dir+"/README.md")
		for _, name := range list(t, ".md") {
			if file := path.Base(name); path.Dir(name) == dir && file != "README.md" {
				require.Contains(t, index, "("+file+")", "%s/README.md does not list %s", dir, file)
			}
		}
	}
}

func TestReadmeIsShort(t *testing.T) {
	require.LessOrEqual(t, strings.Count(read(t, "README.md"), "\n"), maxReadme)
}

// The code in the README is that of the example, which is compiled and run: the pieces between dots are there, line by line.
func TestReadmeShowsTheExample(t *testing.T) {
	_, code, found := strings.Cut(read(t, "README.md"), "```go\n")
	require.True(t, found, "README.md shows no Go code")
	code, _, _ = strings.Cut(code, "```")
	example := flush(read(t, "example_test.go"))
	for piece := range strings.SplitSeq(code, "...\n") {
		require.Contains(t, example, flush(piece), "README.md shows what example_test.go does not have")
	}
}

// flush takes the indentation away.
func flush(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		b.WriteString(strings.TrimLeft(line, "\t "))
	}
	return b.String()
}
