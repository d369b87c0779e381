// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// page has the commands.
const page = "../../README.md"

// marker stands before each block of commands.
const marker = "<!-- by-hand -->"

// command is one line of the page.
type command struct {
	env        []string // NAME=value
	args       []string // the program first
	background bool
}

func (c command) String() string {
	return strings.Join(append(append([]string{}, c.env...), c.args...), " ")
}

// with returns the command with further arguments.
func (c command) with(args ...string) command {
	c.args = append(append([]string{}, c.args...), args...)
	return c
}

// parsePage returns the commands of a page in their order.
func parsePage(text string) ([]command, error) {
	var commands []command
	_, rest, found := strings.Cut(text, marker)
	for found {
		var block string
		rest = strings.TrimLeft(rest, " \n")
		if block, found = strings.CutPrefix(rest, "```sh\n"); !found {
			return nil, fmt.Errorf("no block of sh behind %s", marker)
		}
		if block, rest, found = strings.Cut(block, "\n```"); !found {
			return nil, fmt.Errorf("a block behind %s does not end", marker)
		}
		for line := range strings.Lines(block) {
			c, err := parseLine(line)
			if err != nil {
				return nil, err
			}
			if len(c.args) > 0 {
				commands = append(commands, c)
			}
		}
		_, rest, found = strings.Cut(rest, marker)
	}
	return commands, nil
}

// parseLine parses what a shell would, as far as it goes here; anything that only a shell understands is an error.
func parseLine(line string) (c command, err error) {
	line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
	line, c.background = strings.CutSuffix(strings.TrimSpace(line), " &")
	if strings.ContainsAny(line, "&|;<>$`\\\"'*?(){}!~") {
		return c, fmt.Errorf("%q needs a shell", line)
	}
	for _, word := range strings.Fields(line) {
		if len(c.args) == 0 && strings.Contains(word, "=") {
			c.env = append(c.env, word)
		} else {
			c.args = append(c.args, word)
		}
	}
	return c, nil
}

// readPage returns the commands of the page.
func readPage(t *testing.T) []command {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	commands, err := parsePage(string(text))
	require.NoError(t, err)
	return commands
}

func TestThePageHasFewCommands(t *testing.T) {
	commands := readPage(t)
	require.NotEmpty(t, commands)
	require.LessOrEqual(t, len(commands), 8)
	for _, c := range commands {
		require.Equal(t, "weft", c.args[0], c.String())
	}
}

func TestParsePage(t *testing.T) {
	block := func(lines string) string { return marker + "\n```sh\n" + lines + "\n```\n" }
	for name, tt := range map[string]struct {
		text string
		want []command
		fail string
	}{
		"nothing":      {text: "```sh\nrm -r net\n```\n"},
		"one":          {text: "Page\n" + block("weft  version") + "more", want: []command{{args: []string{"weft", "version"}}}},
		"two blocks":   {text: block("a") + "text\n```sh\nb\n```\n" + block("c"), want: []command{{args: []string{"a"}}, {args: []string{"c"}}}},
		"variables":    {text: block("A=1 B=2 a --x=y"), want: []command{{env: []string{"A=1", "B=2"}, args: []string{"a", "--x=y"}}}},
		"background":   {text: block("a &\nb"), want: []command{{args: []string{"a"}, background: true}, {args: []string{"b"}}}},
		"comments":     {text: block("# first\n\na # as said"), want: []command{{args: []string{"a"}}}},
		"no block":     {text: marker + "\ntext", fail: "no block"},
		"another one":  {text: marker + "\n```go\na\n```", fail: "no block"},
		"no end":       {text: marker + "\n```sh\na", fail: "does not end"},
		"shell":        {text: block("a | b"), fail: "needs a shell"},
		"substitution": {text: block("a $(b)"), fail: "needs a shell"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parsePage(tt.text)
			if tt.fail != "" {
				require.ErrorContains(t, err, tt.fail)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}
