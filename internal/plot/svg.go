// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// Sizes in pixels: a panel's drawing area, and the room around it for labels.
const (
	width, height            = 420, 240
	left, right, top, bottom = 52, 18, 34, 58
	columns                  = 2
)

// The horizontal axis is logarithmic, in milliseconds.
const fastest, slowest = 10.0, 30_000.0

// colours are those of Okabe and Ito, which most colour-blind people can tell apart.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}

// draw draws the panels, two in a row.
func draw(panels []panel) []byte {
	const w, h = left + width + right, top + height + bottom
	across := min(columns, len(panels))
	down := (len(panels) + columns - 1) / columns
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n",
		across*w, down*h, across*w, down*h)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", across*w, down*h)
	for i, p := range panels {
		fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", i%columns*w+left, i/columns*h+top)
		p.draw(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (p panel) draw(b *bytes.Buffer) {
	text(b, 0, -14, "start", "black", strings.ReplaceAll(p.title, "/", "  "))
	for share := 0; share <= 100; share += 25 {
		rule(b, 0, y(share, 100), width, y(share, 100), "#ddd")
		text(b, -6, y(share, 100)+4, "end", "#444", fmt.Sprintf("%d%%", share))
	}
	for _, ms := range []float64{10, 30, 100, 300, 1000, 3000, 10_000, 30_000} {
		rule(b, x(ms), 0, x(ms), height, "#ddd")
		text(b, x(ms), height+15, "middle", "#444", label(ms))
	}
	if p.floorMs > 0 {
		rule(b, x(p.floorMs), 0, x(p.floorMs), height, "#444")
		text(b, x(p.floorMs)-4, 11, "end", "#444", "floor")
	}
	at := 0.0
	for i, c := range p.curves {
		colour := colours[i%len(colours)]
		c.draw(b, colour)
		rule(b, at, height+34, at+16, height+34, colour)
		text(b, at+20, height+38, "start", "black", c.Scheme)
		at += 40 + 6.5*float64(len(c.Scheme))
	}
}

// draw draws the steps of a curve; it ends where the last delivery is.
func (c curve) draw(b *bytes.Buffer, colour string) {
	var path strings.Builder
	fmt.Fprintf(&path, "M%.1f %.1f", x(fastest), y(0, c.Due))
	for i, ms := range c.TimesMs {
		if i+1 < len(c.TimesMs) && x(c.TimesMs[i+1])-x(ms) < 0.2 {
			continue // nobody would see it
		}
		fmt.Fprintf(&path, "H%.1fV%.1f", x(ms), y(i+1, c.Due))
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", path.String(), colour)
}

// x and y are where a time and a share lie.
func x(ms float64) float64 {
	return width * math.Log(min(max(ms, fastest), slowest)/fastest) / math.Log(slowest/fastest)
}

func y(part, whole int) float64 { return height * (1 - float64(part)/float64(whole)) }

func label(ms float64) string {
	if ms >= 1000 {
		return fmt.Sprintf("%g s", ms/1000)
	}
	return fmt.Sprintf("%g ms", ms)
}

func rule(b *bytes.Buffer, x1, y1, x2, y2 float64, colour string) {
	fmt.Fprintf(b, `<path d="M%.1f %.1fL%.1f %.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, colour)
}

func text(b *bytes.Buffer, x, y float64, anchor, colour, what string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">`, x, y, anchor, colour)
	_ = xml.EscapeText(b, []byte(what)) // a buffer takes everything
	b.WriteString("</text>\n")
}
