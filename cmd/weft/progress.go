// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// How often progress is shown.
const (
	redraw = 100 * time.Millisecond // a bar on a terminal
	relate = 2 * time.Second        // a line elsewhere
)

// progress shows how far something has come that takes a while: a bar that is drawn again on a terminal, a line now and then elsewhere.
type progress struct {
	out   io.Writer
	live  bool
	unit  string
	shown time.Time // when; the start, as long as nothing was
	told  bool
}

func newProgress(out io.Writer, unit string, now time.Time) *progress {
	return &progress{out: out, live: isTerminal(out), unit: unit, shown: now}
}

// show tells that done of total are there, unless it has told something, or begun, a moment ago.
func (p *progress) show(done, total uint64, now time.Time) {
	pause := relate
	if p.live {
		pause = redraw
	}
	if now.Sub(p.shown) < pause {
		return
	}
	p.shown = now
	p.draw(done, total)
}

func (p *progress) draw(done, total uint64) {
	p.told = true
	if p.live {
		fmt.Fprintf(p.out, "\r\x1b[K%s %d of %d %s", bar(done, total), done, total, p.unit)
	} else {
		fmt.Fprintf(p.out, "%d of %d %s\n", done, total, p.unit)
	}
}

// end shows the last state, if anything has been shown.
func (p *progress) end(done, total uint64) {
	if p.told {
		p.draw(done, total)
	}
}

// leave ends the line of a bar, if one stands there.
func (p *progress) leave() {
	if p.told && p.live {
		fmt.Fprintln(p.out)
	}
}

// bar is a part of a whole; nothing of nothing is all.
func bar(done, total uint64) string {
	const width = 30
	full := width
	if total > 0 {
		full = int(float64(min(done, total)) / float64(total) * width)
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}
