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

// The code in the README is that of the example, which is compiled and run: every line of it is there, in this order.
func TestReadmeShowsTheExample(t *testing.T) {
	if _, err := os.Stat(filepath.Join(root, "example_test.go")); err != nil {
		t.Skip("no example yet")
	}
	_, code, found := strings.Cut(read(t, "README.md"), "```go\n")
	require.True(t, found, "README.md shows no Go code")
	code, _, _ = strings.Cut(code, "```")
	example := read(t, "example_test.go")
	for line := range strings.Lines(code) {
		line = strings.TrimSpace(line)
		if line == "" || line == "..." {
			continue
		}
		_, rest, found := strings.Cut(example, line)
		require.True(t, found, "README.md shows a line that example_test.go does not have there: %s", line)
		example = rest
	}
}
