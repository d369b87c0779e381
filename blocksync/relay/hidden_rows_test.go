// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/relaysim"
)

// TestRowsServeHiddenMembers: where most members of each organization are hidden, and visible ones stand in rows, every member gets
// each block at once: from its own organization, or as a guest of its neighbours, and also if its source is hidden itself.
func TestRowsServeHiddenMembers(t *testing.T) {
	const orgs, members, visible, size = 12, 8, 3, 60_000
	for name, c := range map[string]struct {
		guests bool
		source int
		within time.Duration
		copies float64
	}{
		"over their organization": {false, 0, 160 * time.Millisecond, 1.4},
		"guests":                  {true, 0, 180 * time.Millisecond, 2},
		"guests, hidden source":   {true, members - 1, 260 * time.Millisecond, 2.1},
	} {
		t.Run(name, func(t *testing.T) {
			s := relaysim.New(relaysim.Config{
				Peers: orgs * members, Seed: 1, Rows: true, Judge: 2 * time.Millisecond, Topic: 120 * time.Millisecond, Guests: c.guests,
				Org: func(i int) string { return fmt.Sprint(i / members) }, Hidden: func(i int) bool { return i%members >= visible },
			})
			for number := range uint64(2) {
				b := s.Block(number+1, size)
				s.Publish(c.source, b)
				s.Run(2 * time.Second)
				r := s.Result(b, everybody)
				require.Zero(t, r.Missing, "block %d", b.Number)
				require.Less(t, r.All, c.within, "block %d", b.Number)
			}
			require.Less(t, float64(s.Payload)/float64(2*(orgs*members-1)*size), c.copies)
		})
	}
}
