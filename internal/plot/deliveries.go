// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// curve is what one scheme did in one case: a line of the file.
type curve struct {
	Case    string    `json:"case"`
	Scheme  string    `json:"scheme"`
	FloorMs float64   `json:"floor_ms"`
	Due     int       `json:"due"`      // deliveries that there had to be
	TimesMs []float64 `json:"times_ms"` // of those that there were
}

// panel is a case with its curves.
type panel struct {
	title   string
	floorMs float64
	curves  []curve
}

// read reads a file of curves, one JSON object a line. Of equal case and scheme the last one counts.
func read(in io.Reader, only string) ([]panel, error) {
	var panels []panel
	for d, line := json.NewDecoder(in), 1; ; line++ {
		var c curve
		err := d.Decode(&c)
		if errors.Is(err, io.EOF) {
			return panels, nil
		}
		if err == nil && (c.Due < len(c.TimesMs) || c.Due == 0) {
			err = fmt.Errorf("%d of %d deliveries", len(c.TimesMs), c.Due)
		}
		if err != nil {
			return nil, fmt.Errorf("object %d: %w", line, err)
		}
		if strings.Contains(c.Case, only) {
			slices.Sort(c.TimesMs)
			panels = add(panels, c)
		}
	}
}

func add(panels []panel, c curve) []panel {
	i := slices.IndexFunc(panels, func(p panel) bool { return p.title == c.Case })
	if i < 0 {
		return append(panels, panel{c.Case, c.FloorMs, []curve{c}})
	}
	p := &panels[i]
	if j := slices.IndexFunc(p.curves, func(old curve) bool { return old.Scheme == c.Scheme }); j >= 0 {
		p.curves[j] = c
	} else {
		p.curves = append(p.curves, c)
	}
	return panels
}
