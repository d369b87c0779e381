// SPDX-License-Identifier: Apache-2.0

package coreyaml

import "strings"

// Keys are the keys that have an effect.
func Keys() []string { return sortedKeys(newDraft("").fields()) }

// Clashes are pairs of keys that one variable would override, and keys that are in the schema twice.
func Clashes() []string {
	var out []string
	owner := map[string]string{}
	all := Keys()
	for _, part := range sections {
		all = append(all, part.names()...)
	}
	for _, key := range all {
		name := variable(strings.TrimSuffix(key, ".*"))
		if other := owner[name]; other != "" {
			out = append(out, other+" and "+key)
		}
		owner[name] = key
	}
	return out
}
