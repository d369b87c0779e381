// SPDX-License-Identifier: Apache-2.0

// Package spectest reads the pages of docs/spec in tests, so that constants and pages say the same.
package spectest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Table returns the first table below a heading of a page, header and rule left out, cells without spaces around them and
// without back-quotes.
func Table(t testing.TB, page, heading string) [][]string {
	t.Helper()
	_, section, found := strings.Cut(Page(t, page), "\n## "+heading+"\n")
	require.True(t, found, "%s has no heading %q", page, heading)
	section, _, _ = strings.Cut(section, "\n## ")
	var rows [][]string
	for _, line := range strings.Split(section, "\n") {
		if !strings.HasPrefix(line, "|") {
			if len(rows) > 0 {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.ReplaceAll(strings.TrimSpace(cells[i]), "`", "")
		}
		rows = append(rows, cells)
	}
	require.Greater(t, len(rows), 2, "%s has no table below %q", page, heading)
	return rows[2:]
}

// Values returns the first two columns of a table: names and values, with commas of numbers taken out.
func Values(t testing.TB, page, heading string) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, row := range Table(t, page, heading) {
		values[row[0]] = strings.ReplaceAll(row[1], ",", "")
	}
	return values
}

// Page returns a page of docs/spec.
func Page(t testing.TB, page string) string {
	t.Helper()
	dir, err := os.Getwd() // of the package under test
	require.NoError(t, err)
	for dir != filepath.Dir(dir) {
		if _, err = os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "docs", "spec", page))
	require.NoError(t, err)
	return string(raw)
}
