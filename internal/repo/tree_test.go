// SPDX-License-Identifier: Apache-2.0

package repo_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	root   = "../.."
	module = "github.com/weft-p2p/weft"
)

// goFile is one Go file of the tree.
type goFile struct {
	path  string // from the root, with slashes
	lines []string
	set   *token.FileSet
	tree  *ast.File
}

func (f goFile) dir() string     { return path.Dir(f.path) }
func (f goFile) test() bool      { return strings.HasSuffix(f.path, "_test.go") }
func (f goFile) generated() bool { return strings.HasSuffix(f.path, ".pb.go") }

// goFiles parses every Go file of the tree.
func goFiles(t *testing.T) []goFile {
	var files []goFile
	for _, name := range list(t, ".go") {
		raw := read(t, name)
		f := goFile{path: name, lines: strings.Split(strings.TrimSuffix(raw, "\n"), "\n"), set: token.NewFileSet()}
		var err error
		f.tree, err = parser.ParseFile(f.set, name, raw, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, f)
	}
	require.NotEmpty(t, files)
	return files
}

// list returns the files of the tree that end so, from the root, with slashes. What git and the Go tool pass over is left out.
func list(t *testing.T, ending string) []string {
	var names []string
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".ci" && file != root) {
			return fs.SkipDir
		}
		if d.Type().IsRegular() && strings.HasSuffix(d.Name(), ending) {
			name, err := filepath.Rel(root, file)
			names = append(names, filepath.ToSlash(name))
			return err
		}
		return nil
	})
	require.NoError(t, err)
	return names
}

func read(t *testing.T, name string) string {
	raw, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	require.NoError(t, err)
	return string(raw)
}
