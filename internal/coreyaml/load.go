// SPDX-License-Identifier: Apache-2.0

package coreyaml

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Errors of Load; what it returns may be several at once.
var (
	// ErrNotFound: there is no core.yaml where it was looked for.
	ErrNotFound = errors.New("coreyaml: no core.yaml")
	// ErrUnknown: keys or variables that neither Fabric nor weft knows. One error names all of them.
	ErrUnknown = errors.New("coreyaml: unknown")
	// ErrInvalid: a value that cannot be used, or a combination of values.
	ErrInvalid = errors.New("coreyaml: invalid")
)

const (
	fileName     = "core.yaml"
	officialPath = "/etc/hyperledger/fabric"
	cfgPath      = "FABRIC_CFG_PATH"
	maxFile      = 1 << 20 // a stock core.yaml has 36 KB
)

// Options say where the configuration is.
type Options struct {
	// Env is the environment, as os.Environ returns it.
	Env []string
	// Dir is the folder with core.yaml. Empty: FABRIC_CFG_PATH, and without that the working directory, then /etc/hyperledger/fabric.
	Dir string
}

// Load reads and checks the whole configuration of a peer, and that the files it names are there. The error holds all that
// is wrong, a line each.
func Load(o Options) (*Config, error) {
	file, err := o.find()
	if err != nil {
		return nil, err
	}
	d := newDraft(filepath.Dir(file))
	d.File = file
	fields := d.fields()
	g, err := gather(file, o.Env, fields)
	if err != nil {
		return nil, err
	}
	if len(g.unknown) > 0 {
		g.problems = append(g.problems, fmt.Errorf("%w: %s", ErrUnknown, strings.Join(g.unknown, "; ")))
	}
	g.set(fields)
	if err := errors.Join(g.problems...); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if err := d.finish(); err != nil {
		return nil, fmt.Errorf("check %s: %w", file, err)
	}
	d.Notes = g.notes()
	return &d.Config, nil
}

// FindDataDir reads only where the data directory is, for commands that talk to a running peer: nothing else in the
// configuration has to be right for them.
func FindDataDir(o Options) (string, error) {
	file, err := o.find()
	if err != nil {
		return "", err
	}
	d := newDraft(filepath.Dir(file))
	fields := d.fields()
	g, err := gather(file, o.Env, fields)
	if err != nil {
		return "", err
	}
	g.problems = nil
	g.set(map[string]setter{
		"weft.dataDir":        fields["weft.dataDir"],
		"peer.fileSystemPath": fields["peer.fileSystemPath"],
	})
	if err := errors.Join(g.problems...); err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	return d.DataDir(), nil
}

// find returns the core.yaml to read.
func (o Options) find() (string, error) {
	where := []string{".", officialPath}
	if o.Dir != "" {
		where = []string{o.Dir}
	} else if dir := lookup(o.Env, cfgPath); dir != "" {
		where = []string{dir}
	}
	for _, dir := range where {
		file := filepath.Join(dir, fileName)
		if _, err := os.Stat(file); err == nil {
			return filepath.Abs(file)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("find %s: %w", fileName, err)
		}
	}
	return "", fmt.Errorf("%w in %s: set %s to the folder that has it", ErrNotFound, strings.Join(where, " or "), cfgPath)
}

// lookup is the value of a variable; the last one counts.
func lookup(env []string, name string) string {
	for _, v := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// gather reads what the file and the environment set.
func gather(file string, env []string, fields map[string]setter) (*gathered, error) {
	root, err := parse(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	g := &gathered{schema: newSchema(fields), values: map[string]value{}}
	g.file(root, "")
	g.environment(env)
	return g, nil
}

// parse returns the mapping that a file holds; an empty file has an empty one.
func parse(file string) (*yaml.Node, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("%w: the file is larger than %d bytes", ErrInvalid, maxFile)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(doc.Content) == 0 {
		return &doc, nil
	}
	root := resolve(doc.Content[0])
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return root, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%w: the file is no mapping: it begins with a section such as \"peer:\"", ErrInvalid)
	}
	return root, nil
}

// set hands each value to its field. A key without a value counts as not set.
func (g *gathered) set(fields map[string]setter) {
	for _, key := range sortedKeys(fields) {
		v, ok := g.values[strings.ToLower(key)]
		if !ok || v.node.Tag == "!!null" {
			continue
		}
		if err := fields[key](v.node); err != nil {
			g.problem("%s is %s (%s): %w", key, show(v.node), v.source, err)
		}
	}
}

// show is a value for people.
func show(n *yaml.Node) string {
	const most = 200
	switch {
	case n.Kind == yaml.MappingNode:
		return "a section"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case len(n.Value) > most:
		return fmt.Sprintf("%q...", n.Value[:most])
	}
	return fmt.Sprintf("%q", n.Value)
}
