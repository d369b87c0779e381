// SPDX-License-Identifier: Apache-2.0

package repo_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/spectest"
)

const limitsPage = "docs/spec/limits.md"

// limited are the tables of limits, by page and heading. In them the first column is the name.
var limited = map[string][]string{
	"announcement.md": {"Limits"}, "auth.md": {"Limits"}, "evidence.md": {"Limits"}, "member-record.md": {"Limits"},
	"membership.md": {"Limits"}, "push.md": {"Limits"}, "relay.md": {"Limits"}, "quotas.md": {"Limits"}, "topics.md": {"Limits"},
	"sync.md": {"Limits", "Few answers at a time", "Whom to ask for what", "Reorder buffer"},
}

// Every limit has a test, and what the page names is there.
func TestLimitsHaveTests(t *testing.T) {
	held := map[string]bool{}
	for _, row := range spectest.Table(t, "limits.md", "Tests") {
		for name := range strings.SplitSeq(row[1], ", ") {
			for page := range limited {
				held[page+" "+name] = held[page+" "+name] || strings.Contains(row[0], "("+page+")")
			}
		}
	}
	for page, headings := range limited {
		for _, heading := range headings {
			for name := range spectest.Values(t, page, heading) {
				require.True(t, held[page+" "+name] || name == "ID" || name == "Service", "%s: no test of %s of %s", limitsPage, name, page)
			}
		}
	}
	tests := testNames(t)
	for _, m := range testName.FindAllStringSubmatch(read(t, limitsPage), -1) {
		require.True(t, tests[m[1]], "%s names %s, which is no test", limitsPage, m[1])
	}
}
