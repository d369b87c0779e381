// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/membership"
)

// What does a heartbeat cost beside the signature checks that let it in (some
// 100 us)? A known member, and a newcomer that a crowded view of 1,000 refuses.
func BenchmarkObserve(b *testing.B) {
	v := newView(b, membership.ViewConfig{Scope: scope, Limits: membership.Limits{Members: 1000, PerIdentity: 1000}})
	id := identity(b, "Org1MSP")
	for i := range 1000 {
		v.Observe(start, membership.Channel, beat(record(b, fmt.Sprint(i), id, 1), 1, 1))
	}
	b.Run("known", func(b *testing.B) {
		r := record(b, "7", id, 2)
		for i := 0; b.Loop(); i++ {
			v.Observe(start.Add(time.Second), membership.Channel, beat(r, uint64(i+1), 1))
		}
	})
	b.Run("refused", func(b *testing.B) {
		h := beat(record(b, "newcomer", id, 1), 1, 1)
		for b.Loop() {
			c := v.Observe(start, membership.Channel, h)
			require.Equal(b, membership.Full, c.Kind)
		}
	})
	b.Run("expire", func(b *testing.B) {
		for b.Loop() {
			v.Expire(start)
		}
	})
}
