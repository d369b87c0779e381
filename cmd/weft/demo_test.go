// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// outcome is what the demo's JSON object says.
type outcome struct {
	Peers, Blocks, Missing int
	P50                    float64 `json:"p50_ms"`
	P99                    float64 `json:"p99_ms"`
	Max                    float64 `json:"max_ms"`
	Copies                 float64
	StreamsMax             int     `json:"orderer_streams_max"`
	CatchupBlocks          int     `json:"catchup_blocks"`
	CatchupMS              float64 `json:"catchup_ms"`
	LeaderChanges          int     `json:"leader_changes"`
	FailoverMS             float64 `json:"failover_ms"`
	RepairedBlocks         int     `json:"repaired_blocks"`
}

// runDemo runs "weft demo --json" in a temporary folder that must be empty afterwards.
func runDemo(t *testing.T, args ...string) outcome {
	t.Helper()
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), append([]string{"demo", "--json"}, args...), &stdout, &stderr)
	require.Equal(t, exitOK, code, stderr.String())
	left, err := filepath.Glob(filepath.Join(temp, "*"))
	require.NoError(t, err)
	require.Empty(t, left)
	var o outcome
	d := json.NewDecoder(&stdout)
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&o))
	require.False(t, d.More(), "one object")
	require.Contains(t, stderr.String(), "the same at every peer")
	return o
}

func TestDemoDeliversEverything(t *testing.T) {
	o := runDemo(t, "--orgs", "2", "--peers", "2", "--blocks", "12", "--block-size", "32KiB", "--rate", "20")
	require.Equal(t, 5, o.Peers)
	require.Equal(t, 12, o.Blocks)
	require.Zero(t, o.Missing)
	require.Positive(t, o.P50)
	require.GreaterOrEqual(t, o.P99, o.P50)
	require.GreaterOrEqual(t, o.Max, o.P99)
	require.GreaterOrEqual(t, o.StreamsMax, 2, "one leader an organization")
	require.LessOrEqual(t, o.StreamsMax, 4, "and one more for each peer that was left alone")
	require.GreaterOrEqual(t, o.LeaderChanges, 1, "a leader was killed")
	require.Positive(t, o.FailoverMS)
	require.Positive(t, o.RepairedBlocks, "one peer was cut off, one killed")
	require.GreaterOrEqual(t, o.CatchupBlocks, 6, "the late joiner comes half-way")
	require.Positive(t, o.CatchupMS)
	require.Greater(t, o.Copies, 0.4, "two of five pull from the ordering service")
	require.Less(t, o.Copies, 3.0)
}

func TestDemoOrdersRecordedTransactions(t *testing.T) {
	dir := filepath.Join("testdata", "recorded")
	o := runDemo(t, "--orgs", "1", "--peers", "2", "--rate", "20", "--transactions", dir)
	require.Equal(t, 3, o.Peers)
	require.Positive(t, o.Blocks)
	require.Zero(t, o.Missing)
}

func TestDemoBadInput(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no organizations":  {[]string{"--orgs", "0"}, exitUsage, "--orgs 0"},
		"too many peers":    {[]string{"--orgs", "100", "--peers", "100"}, exitUsage, "at most 200 peers"},
		"no blocks":         {[]string{"--blocks", "0"}, exitUsage, "--blocks 0"},
		"size without unit": {[]string{"--block-size", "1MB"}, exitUsage, "KiB or MiB"},
		"size too small":    {[]string{"--block-size", "10"}, exitUsage, "--block-size 10"},
		"rate zero":         {[]string{"--rate", "0"}, exitUsage, "--rate 0"},
		"argument":          {[]string{"now"}, exitUsage, "now"},
		"missing folder":    {[]string{"--transactions", "no/such/folder"}, exitError, "no/such/folder"},
		"folder of others":  {[]string{"--transactions", "."}, exitError, "holds no config block"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			require.Equal(t, c.code, run(t.Context(), append([]string{"demo"}, c.args...), &stdout, &stderr))
			require.Contains(t, stderr.String(), c.says)
			require.Empty(t, stdout.String())
		})
	}
}

// onceContains cancels when something has been written.
type onceContains struct {
	bytes.Buffer
	text   string
	cancel context.CancelFunc
}

func (o *onceContains) Write(p []byte) (int, error) {
	n, err := o.Buffer.Write(p)
	if strings.Contains(o.String(), o.text) {
		o.cancel()
	}
	return n, err
}

func TestDemoStopsWhenInterrupted(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for _, at := range []string{"A Fabric network", "see each other"} {
		ctx, cancel := context.WithCancel(t.Context())
		stdout := &onceContains{text: at, cancel: cancel}
		var stderr bytes.Buffer
		require.Equal(t, exitError, run(ctx, []string{"demo", "--blocks", "1000"}, stdout, &stderr))
		require.Contains(t, stderr.String(), "weft: interrupted")
		left, err := filepath.Glob(filepath.Join(temp, "*"))
		require.NoError(t, err)
		require.Empty(t, left)
	}
}
