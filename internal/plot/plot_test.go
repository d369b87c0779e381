// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const deliveries = `{"case":"peers=3/size=1MB","scheme":"weft","floor_ms":134,"due":2,"times_ms":[500]}
{"case":"peers=3/size=1MB","scheme":"weft","floor_ms":134,"due":2,"times_ms":[300,100]}
{"case":"peers=3/size=1MB","scheme":"<gossip>","floor_ms":134,"due":2,"times_ms":[9000]}
{"case":"peers=3/size=16KB","scheme":"weft","floor_ms":51,"due":2,"times_ms":[60,70]}
`

func TestTheLastOfEqualNamesCounts(t *testing.T) {
	panels, err := read(strings.NewReader(deliveries), "")
	require.NoError(t, err)
	require.Len(t, panels, 2)
	require.Len(t, panels[0].curves, 2)
	require.Equal(t, []float64{100, 300}, panels[0].curves[0].TimesMs)

	panels, err = read(strings.NewReader(deliveries), "16KB")
	require.NoError(t, err)
	require.Len(t, panels, 1)
}

func TestBadFiles(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON": "peers", "nothing due": `{"case":"a","scheme":"b"}`, "more than due": `{"case":"a","scheme":"b","due":1,"times_ms":[1,2]}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(strings.NewReader(text), "")
			require.ErrorContains(t, err, "object 1")
		})
	}
	require.ErrorContains(t, run(nil, "", ""), "usage")
	require.ErrorIs(t, run([]string{filepath.Join(t.TempDir(), "none")}, "", ""), os.ErrNotExist)
}

func TestCurvesLieWhereTheyBelong(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.jsonl"), filepath.Join(dir, "out.svg")
	require.NoError(t, os.WriteFile(in, []byte(deliveries), 0o600))
	require.NoError(t, run([]string{in}, "1MB", out))
	require.ErrorContains(t, run([]string{in}, "2MB", out), `no case that contains "2MB"`)
	svg, err := os.ReadFile(out)
	require.NoError(t, err)
	for d := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	require.Contains(t, string(svg), "&lt;gossip&gt;")
	require.Contains(t, string(svg), `d="M0.0 240.0H120.8V120.0H178.4V0.0"`, "half of the peers after 100 ms, all after 300 ms")
	require.Contains(t, string(svg), `V120.0" fill="none" stroke="#d55e00"`, "half of the peers never have it")
}
