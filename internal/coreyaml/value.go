// SPDX-License-Identifier: Apache-2.0

package coreyaml

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// scalar is the text of a single value. That of a variable is one too, and may be empty.
func scalar(n *yaml.Node, write string) (string, error) {
	n = resolve(n)
	if n.Kind != yaml.ScalarNode {
		return "", errors.New(write)
	}
	if n.Tag == "!!null" {
		return "", nil
	}
	return n.Value, nil
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func text(to *string) setter {
	return func(n *yaml.Node) (err error) {
		*to, err = scalar(n, "write a single text")
		return err
	}
}

// checkedText is text that check must accept, unless it is empty: then the default stays.
func checkedText(to *string, check func(string) error) setter {
	return func(n *yaml.Node) error {
		s, err := scalar(n, "write a single text")
		if err != nil || s == "" {
			return err
		}
		*to = s
		return check(s)
	}
}

func oneOf(to *string, allowed ...string) setter {
	write := "write one of " + strings.Join(allowed, ", ")
	return checkedText(to, func(s string) error {
		if !slices.Contains(allowed, s) {
			return errors.New(write)
		}
		return nil
	})
}

// boolean takes what Fabric takes for true and false. Empty is false, as in Fabric.
func boolean(to *bool) setter {
	const write = "write true or false"
	return func(n *yaml.Node) error {
		s, err := scalar(n, write)
		if err != nil || s == "" {
			*to = false
			return err
		}
		if *to, err = strconv.ParseBool(s); err != nil {
			return errors.New(write)
		}
		return nil
	}
}

// unlessEmpty takes true or false. Empty leaves the default.
func unlessEmpty(to *bool) setter {
	return func(n *yaml.Node) error {
		if s, err := scalar(n, "write true or false"); err != nil || s == "" {
			return err
		}
		return boolean(to)(n)
	}
}

// flag is a boolean that remembers that it was given.
func flag(to **bool) setter {
	return func(n *yaml.Node) error {
		*to = new(bool)
		return boolean(*to)(n)
	}
}

// number takes a whole number. Zero and empty leave the default (Fabric's rule).
func number(to *int) setter {
	const write = "write a positive whole number, or 0 for the default"
	return func(n *yaml.Node) error {
		s, err := scalar(n, write)
		if err != nil || s == "" {
			return err
		}
		v, err := strconv.ParseInt(s, 10, 32)
		if err != nil || v < 0 {
			return errors.New(write)
		}
		if v > 0 {
			*to = int(v)
		}
		return nil
	}
}

// atMost is a number that is at most most.
func atMost(most int, to *int) setter {
	return func(n *yaml.Node) error {
		err := number(to)(n)
		if err == nil && *to > most {
			err = fmt.Errorf("write a whole number up to %d, or 0 for the default", most)
		}
		return err
	}
}

// between is a number within bounds.
func between(to *int, low, high int) setter {
	return func(n *yaml.Node) error {
		v := *to
		if err := number(&v)(n); err != nil {
			return err
		}
		if v < low || v > high {
			return fmt.Errorf("write a whole number from %d to %d, or 0 for the default", low, high)
		}
		*to = v
		return nil
	}
}

// duration takes a duration in Go's syntax. Zero and empty leave the default (Fabric's rule).
func duration(to *time.Duration) setter {
	const write = "write a duration with its unit, such as 500ms, 5s or 1h30m, or 0 for the default"
	return func(n *yaml.Node) error {
		s, err := scalar(n, write)
		if err != nil || s == "" {
			return err
		}
		v, err := time.ParseDuration(s)
		if err != nil || v < 0 {
			return errors.New(write)
		}
		if v > 0 {
			*to = v
		}
		return nil
	}
}

// list takes a sequence of texts, or one text that blanks or commas divide.
func list(to *[]string) setter {
	const write = "write a list of texts"
	return func(n *yaml.Node) error {
		n = resolve(n)
		*to = nil
		if n.Kind != yaml.SequenceNode {
			s, err := scalar(n, write)
			*to = strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
			return err
		}
		for _, item := range n.Content {
			s, err := scalar(item, write)
			if err != nil {
				return err
			}
			if s != "" {
				*to = append(*to, s)
			}
		}
		return nil
	}
}

// checked is a list of which check must accept every entry.
func checked(set setter, got *[]string, check func(string) error) setter {
	return func(n *yaml.Node) error {
		if err := set(n); err != nil {
			return err
		}
		for _, s := range *got {
			if err := check(s); err != nil {
				return fmt.Errorf("%q: %w", s, err)
			}
		}
		return nil
	}
}

// path is a file name; a relative one starts at the folder of core.yaml. Empty leaves the default.
func (d *draft) path(to *string) setter {
	return func(n *yaml.Node) error {
		s, err := scalar(n, "write a file name")
		if err == nil && s != "" {
			*to = absolute(d.dir, s)
		}
		return err
	}
}

func (d *draft) paths(to *[]string) setter {
	return func(n *yaml.Node) error {
		err := list(to)(n)
		for i, s := range *to {
			(*to)[i] = absolute(d.dir, s)
		}
		return err
	}
}

func absolute(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
