// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
)

// The spec page and the code state the same values.
func TestSpecStatesTheProtocol(t *testing.T) {
	raw, err := os.ReadFile("../docs/spec/auth.md")
	require.NoError(t, err)
	p := host.AuthProtocol
	for _, row := range []string{
		fmt.Sprintf("| protocol ID | `%s` |", p.ID),
		fmt.Sprintf("| resource manager service | `%s` |", p.Service),
		fmt.Sprintf("| longest message | %d KiB |", p.MaxMessage>>10),
		fmt.Sprintf("| deadline | %.0f s for each read and write", p.Deadline.Seconds()),
		fmt.Sprintf("| rate | %.0f stream per second and peer, bursts of %d |", float64(p.Rate), p.Burst),
		fmt.Sprintf("| streams at one time | %d of one peer, %d in all |", p.PeerStreams, p.Streams),
		fmt.Sprintf("| memory | %d KiB per stream", p.Memory>>10),
	} {
		require.Contains(t, string(raw), row)
	}
}
