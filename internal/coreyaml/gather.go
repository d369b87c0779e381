// SPDX-License-Identifier: Apache-2.0

package coreyaml

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// value is what a key is set to, and where.
type value struct {
	node   *yaml.Node
	source string // "line 12", or the name of a variable
}

// gathered are the values of file and environment, by key in lower case.
type gathered struct {
	*schema
	values   map[string]value
	unknown  []string // each with its place and a hint
	problems []error
}

// file takes the mapping n, whose keys stand below path ("" or "peer."). What it merges comes last and replaces nothing.
func (g *gathered) file(n *yaml.Node, path string) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, v := n.Content[i], n.Content[i+1]
		if name.Tag == "!!merge" {
			continue
		}
		lower := strings.ToLower(path + name.Value)
		if seen[lower] {
			g.problem("%s is there twice, again at line %d: keep one of them", path+name.Value, name.Line)
			continue
		}
		seen[lower] = true
		g.entry(path+name.Value, resolve(v), name.Line)
	}
	g.merges(n, path, seen)
}

// merges takes the mappings that n merges ("<<: *other"), without what was seen before.
func (g *gathered) merges(n *yaml.Node, path string, seen map[string]bool) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			continue
		}
		v := resolve(n.Content[i+1])
		sources := []*yaml.Node{v}
		if v.Kind == yaml.SequenceNode {
			sources = v.Content
		}
		for _, source := range sources {
			g.merge(resolve(source), path, seen, n.Content[i].Line)
		}
	}
}

// merge takes one merged mapping. What it merges in turn is refused: it could be itself.
func (g *gathered) merge(source *yaml.Node, path string, seen map[string]bool, line int) {
	if source.Kind != yaml.MappingNode {
		g.problem("line %d: << needs a mapping", line)
		return
	}
	for i := 0; i+1 < len(source.Content); i += 2 {
		name := source.Content[i]
		if name.Tag == "!!merge" {
			g.problem("line %d: << within what is merged is not supported: write the keys", name.Line)
			continue
		}
		if lower := strings.ToLower(path + name.Value); !seen[lower] {
			seen[lower] = true
			g.entry(path+name.Value, resolve(source.Content[i+1]), name.Line)
		}
	}
}

func (g *gathered) entry(key string, v *yaml.Node, line int) {
	lower := strings.ToLower(key)
	if g.spelled(lower) != "" {
		g.values[lower] = value{node: v, source: fmt.Sprintf("line %d", line)}
		return
	}
	_, known := g.inner[lower]
	switch {
	case !known:
		g.missing(key, fmt.Sprintf("line %d", line), g.nearestKey)
	case v.Kind == yaml.MappingNode:
		g.file(v, key+".")
	case v.Tag != "!!null":
		g.problem("%s (line %d) is a section: write its keys below it, indented", key, line)
	}
}

// environment takes the variables. They go before the file, and an empty one counts (Fabric's rules).
func (g *gathered) environment(env []string) {
	for _, v := range env {
		name, text, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		lower, ok := g.ofVariable(name)
		if !ok {
			g.missing(name, "environment", g.nearestVariable)
			continue
		}
		node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
		g.values[lower] = value{node: node, source: name}
	}
}

// maxHints bounds the search for hints: a file of something else has many unknown keys.
const maxHints = 20

func (g *gathered) missing(name, place string, nearest func(string) string) {
	hint := ""
	if len(g.unknown) < maxHints {
		hint = nearest(name)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		name = fmt.Sprintf("%q", name)
	}
	if hint != "" {
		place += ", did you mean " + hint + "?"
	}
	g.unknown = append(g.unknown, name+" ("+place+")")
}

func (g *gathered) problem(format string, args ...any) {
	g.problems = append(g.problems, fmt.Errorf("%w: "+format, slices.Concat([]any{ErrInvalid}, args)...))
}

// notes say what has no effect, a line for each section of which a key is set.
func (g *gathered) notes() []string {
	var out []string
	for _, part := range sections {
		var set []string
		for _, key := range part.names() {
			key = strings.TrimSuffix(key, ".*")
			if v, ok := g.values[strings.ToLower(key)]; ok && says(v.node) {
				set = append(set, key)
			}
		}
		if len(set) > 0 {
			out = append(out, enumerate(set)+": no effect here; "+part.why)
		}
	}
	return out
}

// says reports whether there is anything in a value.
func says(n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode {
		return n.Value != "" && n.Tag != "!!null"
	}
	return len(n.Content) > 0
}

// enumerate names keys, three at most.
func enumerate(keys []string) string {
	const most = 3
	if len(keys) <= most {
		return strings.Join(keys, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(keys[:most], ", "), len(keys)-most)
}
