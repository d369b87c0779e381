// SPDX-License-Identifier: Apache-2.0

package coreyaml

import (
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// records takes a sequence of mappings, or a text that is one in YAML (what a variable has), and gives each mapping to add
// with its keys in lower case.
func records(n *yaml.Node, write string, keys []string, add func(map[string]string) error) error {
	n, err := embedded(n)
	if err != nil || n.Kind == yaml.ScalarNode && n.Value != "" && n.Tag != "!!null" {
		return errors.New(write)
	}
	if n.Kind == yaml.ScalarNode {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return errors.New(write)
	}
	for i, item := range n.Content {
		r, err := record(resolve(item), keys)
		if err == nil {
			err = add(r)
		}
		if err != nil {
			return fmt.Errorf("entry %d: %w; %s", i+1, err, write)
		}
	}
	return nil
}

// embedded parses a text as YAML.
func embedded(n *yaml.Node) (*yaml.Node, error) {
	n = resolve(n)
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		return n, nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(n.Value), &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 { // blanks, or a comment
		return &yaml.Node{Kind: yaml.ScalarNode}, nil
	}
	return resolve(doc.Content[0]), nil
}

func record(n *yaml.Node, keys []string) (map[string]string, error) {
	if n.Kind != yaml.MappingNode {
		return nil, errors.New("it has no keys")
	}
	r := map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := strings.ToLower(n.Content[i].Value)
		if !contains(keys, key) {
			return nil, fmt.Errorf("unknown key %q", n.Content[i].Value)
		}
		s, err := scalar(n.Content[i+1], "the value of "+n.Content[i].Value+" is not a text")
		if err != nil {
			return nil, err
		}
		r[key] = s
	}
	return r, nil
}

func contains(keys []string, lower string) bool {
	for _, k := range keys {
		if strings.ToLower(k) == lower {
			return true
		}
	}
	return false
}

func (d *draft) addressOverrides(n *yaml.Node) error {
	const write = "write a list of {from: host:port, to: host:port, caCertsFile: file}"
	d.Deliver.AddressOverrides = nil
	return records(n, write, []string{"from", "to", "caCertsFile"}, func(r map[string]string) error {
		o := AddressOverride{From: r["from"], To: r["to"], CACertsFile: r["cacertsfile"]}
		if o == (AddressOverride{}) {
			return nil // the empty entry of the sample
		}
		if o.CACertsFile != "" {
			o.CACertsFile = absolute(d.dir, o.CACertsFile)
		}
		d.Deliver.AddressOverrides = append(d.Deliver.AddressOverrides, o)
		return errors.Join(named("from", o.From, dialPort), named("to", o.To, dialPort))
	})
}

func (d *draft) anchorOverrides(n *yaml.Node) error {
	const write = "write a list of {from: host:port of an anchor peer, to: host:port of the weft node beside it}"
	d.AnchorOverrides = map[string]string{}
	return records(n, write, []string{"from", "to"}, func(r map[string]string) error {
		from, to := r["from"], r["to"]
		if _, twice := d.AnchorOverrides[from]; twice {
			return fmt.Errorf("from: %s is there twice", from)
		}
		d.AnchorOverrides[from] = to
		return errors.Join(named("from", from, dialPort), named("to", to, dialable))
	})
}

func named(key, value string, check func(string) error) error {
	if err := check(value); err != nil {
		return fmt.Errorf("%s %q: %w", key, value, err)
	}
	return nil
}
