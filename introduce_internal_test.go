// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"fmt"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
)

// TestYoungMembersAreIntroducedByFew: of many who hear a young member, about sixteen pass each heartbeat on, and other ones each time;
// in a small network all do.
func TestYoungMembersAreIntroducedByFew(t *testing.T) {
	for _, living := range []int{1, introducers, introducers + 1, 100, 1000} {
		t.Run(fmt.Sprint(living), func(t *testing.T) {
			total, ever := 0, map[int]bool{}
			for sequence := uint64(1); sequence <= young; sequence++ {
				for i := range living {
					if introduces(peer.ID(fmt.Sprint(i)), "author", sequence, living) {
						total++
						ever[i] = true
					}
				}
			}
			require.InDelta(t, min(living, introducers)*young, total, 0.15*introducers*young)
			require.Greater(t, len(ever), min(living, introducers*young)/2)
			require.False(t, introduces("self", "author", young+1, living), "it is not young any more")
		})
	}
}
