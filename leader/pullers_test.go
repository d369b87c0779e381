// SPDX-License-Identifier: Apache-2.0

package leader_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// So many lead as are set, after a start, a death and a partition, and never more than one too many for long.
func TestSimPullers(t *testing.T) {
	for _, pullers := range []int{2, 3} {
		t.Run(fmt.Sprint(pullers), func(t *testing.T) {
			var filled, healed figures
			seeds(t, 20, func(t *testing.T, seed uint64) {
				s := newSim(t, seed, 12)
				s.timing.Pullers = pullers
				s.settle()
				require.LessOrEqual(t, s.most(0), pullers+1)
				require.Equal(t, all(pullers), s.leaders(), "the best, which are those with the lowest IDs")

				at := s.now
				s.nodes[s.leaders()[s.rand.IntN(pullers)]].crash(false)
				s.run(20 * time.Second)
				require.Equal(t, pullers, len(s.leaders()))
				require.LessOrEqual(t, s.most(at), pullers+1)
				require.GreaterOrEqual(t, s.least(at), pullers-1, "the others go on")
				filled = append(filled, s.since()-at)

				s.split(true, func(id int) int { return id & 1 })
				s.run(time.Minute)
				require.Equal(t, 2*pullers, len(s.leaders()), "on each side")
				at = s.now
				s.heal()
				s.run(time.Minute)
				require.Equal(t, pullers, len(s.leaders()))
				require.GreaterOrEqual(t, s.least(at), pullers)
				healed = append(healed, max(0, s.since()-at))
				one := 0
				for _, id := range s.leaders() {
					if s.nodes[id].decision.First {
						one++
					}
				}
				require.Equal(t, 1, one, "one of them announces")
			})
			filled.log(t, "death to all places filled")
			healed.log(t, "healed to as many as are to be")
			require.LessOrEqual(t, filled.at(1), time.Second)
		})
	}
}

// The ordering service has as many streams as there are organizations, times the pullers of each: 25 organizations of 4 peers.
func TestSimStreams(t *testing.T) {
	for _, pullers := range []int{1, 2} {
		streams := 0
		for org := range uint64(25) {
			s := newSim(t, 100+org, 4)
			s.timing.Pullers = pullers
			s.settle()
			streams += len(s.leaders())
		}
		require.Equal(t, 25*pullers, streams)
	}
}

// Who is far behind does not lead while somebody better is there, though its ID is the lowest: neither after a start nor after a death.
func TestSimFarBehind(t *testing.T) {
	seeds(t, 20, func(t *testing.T, seed uint64) {
		s := newSim(t, seed, 6)
		for _, n := range s.nodes[1:] {
			n.height = 1000
		}
		s.settle()
		for range 4 {
			require.NotContains(t, s.leaders(), 0)
			s.nodes[s.leaders()[0]].crash(s.rand.IntN(2) == 0)
			s.run(15 * time.Second)
			require.Len(t, s.leaders(), 1)
		}
		for _, c := range s.log {
			require.NotContains(t, c.leaders, 0)
		}
		s.nodes[s.leaders()[0]].crash(false)
		s.run(20 * time.Second)
		require.Equal(t, []int{0}, s.leaders(), "it is better than nobody")
	})
}
