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
