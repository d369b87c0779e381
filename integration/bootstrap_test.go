// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBootstrapPeerDies: those who know one peer alone are together a moment after the last of them has reached it: whoever comes is
// introduced to those who are there, and they to it. Those who know two need no such moment.
func TestBootstrapPeerDies(t *testing.T) {
	for name, c := range map[string]struct {
		from  []int         // where the others find the organization
		lives time.Duration // for which the first peer lives after the last one has started
	}{
		"the only way in, after it has introduced them": {[]int{0}, 300 * time.Millisecond},
		"before it has introduced them":                 {[]int{0, 1}, 20 * time.Millisecond},
		"before they have reached it":                   {[]int{0, 1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNet(t, lan, 1, 5)
				for _, p := range n.peers[1:] {
					p.from = c.from
				}
				n.peers[0].start(elected())
				time.Sleep(time.Second)
				others := n.peers[1:]
				for _, p := range others {
					p.start(elected())
				}
				time.Sleep(c.lives)
				n.peers[0].crash()
				time.Sleep(8 * time.Second) // a dial that nobody answers takes 5 s
				require.True(t, meshed(others))
				require.Len(t, n.leaders(), 1)
				for _, p := range others {
					led, _ := p.channel.Leader()
					require.Equal(t, n.leaders()[0].host.ID(), led)
				}
			})
		})
	}
}
