// SPDX-License-Identifier: Apache-2.0

// Command plot draws how blocks spread: for every case in a file of delivery times, a panel with a curve for each scheme, the
// share of peers that have a block by the time since its first peer had it. The file is what a benchmark writes:
//
//	go test ./integration -run '^$' -bench Dissemination -benchtime 1x -deliveries /tmp/deliveries.jsonl
//	go run ./internal/plot -o docs/dissemination.svg /tmp/deliveries.jsonl
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("o", "", "write the SVG to this file; default: to standard output")
	only := flag.String("case", "", "draw only cases whose description contains this")
	flag.Parse()
	if err := run(flag.Args(), *only, *out); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(args []string, only, out string) (err error) {
	if len(args) != 1 {
		return errors.New("usage: plot [-o FILE.svg] [-case TEXT] DELIVERIES.jsonl")
	}
	in, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	panels, err := read(in, only)
	if err != nil {
		return fmt.Errorf("read %s: %w", args[0], err)
	}
	if len(panels) == 0 {
		return fmt.Errorf("%s has no case that contains %q", args[0], only)
	}
	svg := draw(panels)
	if out == "" {
		_, err = os.Stdout.Write(svg)
		return err
	}
	return os.WriteFile(out, svg, 0o644)
}
