// SPDX-License-Identifier: Apache-2.0

package coreyaml

import (
	"maps"
	"strings"
)

// prefix is what the variables of a peer begin with.
const prefix = "CORE_"

// schema is every key that there is. Keys are compared in lower case, as Fabric does.
type schema struct {
	leaves   map[string]string // lower case -> as it is spelled; a key with a value
	open     map[string]string // the same; whatever is below it is accepted
	inner    map[string]string // the same; only others are below it
	variable map[string]string // CORE_... -> key in lower case, of leaves and open
}

func newSchema(fields map[string]setter) *schema {
	s := &schema{leaves: map[string]string{}, open: map[string]string{}, inner: map[string]string{}, variable: map[string]string{}}
	for key := range fields {
		s.add(s.leaves, key)
	}
	for _, part := range sections {
		for _, key := range part.names() {
			kind := s.leaves
			if base, ok := strings.CutSuffix(key, ".*"); ok {
				key, kind = base, s.open
			}
			s.add(kind, key)
		}
	}
	return s
}

func (s *schema) add(kind map[string]string, key string) {
	kind[strings.ToLower(key)] = key
	s.variable[variable(key)] = strings.ToLower(key)
	for i, c := range key {
		if c == '.' {
			s.inner[strings.ToLower(key[:i])] = key[:i]
		}
	}
}

// names are the whole keys of a section.
func (p section) names() []string {
	keys := strings.Fields(p.keys)
	for i, k := range keys {
		keys[i] = p.name + "." + k
	}
	return keys
}

// variable is the name of the environment variable that overrides key.
func variable(key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// ofVariable finds the key that a variable overrides.
func (s *schema) ofVariable(name string) (lower string, ok bool) {
	if lower, ok = s.variable[name]; ok {
		return lower, true
	}
	for lower := range s.open {
		if strings.HasPrefix(name, variable(lower)+"_") {
			return lower, true
		}
	}
	return "", false
}

// spelled is a known key as it is spelled.
func (s *schema) spelled(lower string) string {
	if key, ok := s.leaves[lower]; ok {
		return key
	}
	return s.open[lower]
}

// nearestKey is the known key that an unknown one was probably meant to be, or "": one that is written much the same, or
// the only one that ends in the same word, which then stands in the wrong section.
func (s *schema) nearestKey(key string) string {
	all := map[string]string{}
	for _, kind := range []map[string]string{s.inner, s.open, s.leaves} {
		maps.Copy(all, kind)
	}
	lower := strings.ToLower(key)
	if k := nearest(lower, sortedKeys(all)); k != "" {
		return all[k]
	}
	word := "." + lower[strings.LastIndex(lower, ".")+1:]
	var found []string
	for k := range all {
		if strings.HasSuffix(k, word) {
			found = append(found, all[k])
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// nearestVariable is the same for the name of a variable.
func (s *schema) nearestVariable(name string) string {
	return nearest(strings.ToUpper(name), sortedKeys(s.variable))
}
