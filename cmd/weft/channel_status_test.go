// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/admin"
)

func TestPeersShowHowFastTheyAre(t *testing.T) {
	for name, c := range map[string]struct {
		flow *admin.Flow
		in   string
		out  string
	}{
		"no streams": {nil, "-", "-"},
		"quiet":      {&admin.Flow{}, "0 B/s", "0 B/s"},
		"slow":       {&admin.Flow{In: 999, Out: 1000}, "999 B/s", "1.0 KB/s"},
		"fast":       {&admin.Flow{In: 640_211, Out: 12.5e6}, "640.2 KB/s", "12.5 MB/s"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, showPeers(&out, []admin.Peer{{ID: "12D3", Flow: c.flow}}))
			require.Regexp(t, `\n12D3 .* `+c.in+` +`+c.out+` +- +-\n$`, out.String())
		})
	}
}

func TestStatusShowsHowBlocksCome(t *testing.T) {
	d := admin.Delivery{
		Blocks: 30, Spread: admin.Times{Median: 103, Worst: 140}, Age: admin.Times{Median: 250, Worst: 400}, Copies: 1.021,
		Repaired: map[string]uint64{"unannounced": 2, "stalled": 1},
		Relayed:  20, Complete: admin.Times{Median: 98, Worst: 131}, Distance: admin.Distance{Last: 1.031, Median: 1.1, Worst: 1.4},
	}
	const delivery = "Delivery +last 30 in 103 ms, at worst 140, from the first announcement; 250 and 400 from the transaction; 1.02 copies; repaired 1 stalled; repaired 2 unannounced\n"
	for name, c := range map[string]struct {
		change func(*admin.Delivery)
		relay  string
	}{
		"on a known floor":    {func(*admin.Delivery) {}, "Relay +last 20 complete in 98 ms, at worst 131, from the first announcement; 1.10 times the floor, at worst 1.40, the last 1.03\n"},
		"on no known floor":   {func(d *admin.Delivery) { d.Distance = admin.Distance{} }, "Relay +last 20 complete in 98 ms, at worst 131, from the first announcement\n"},
		"nothing relayed yet": {func(d *admin.Delivery) { d.Relayed = 0 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			s := admin.Status{Delivery: d}
			c.change(&s.Delivery)
			require.NoError(t, showStatus(&out, s))
			require.Regexp(t, delivery+c.relay+"Peers", out.String())
		})
	}
}
