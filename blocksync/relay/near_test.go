// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/relaysim"
	"github.com/weft-p2p/weft/internal/simtest"
)

// TestNearMembersGetFewPieces: where members are near, a block comes in few pieces; where they are not, in small ones. One far
// member among near ones, or near ones among far ones, make no difference.
func TestNearMembersGetFewPieces(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		oneWay func(a, b int) time.Duration
		size   int
		pieces int           // that each peer gets
		within time.Duration // to all
	}{
		"near, 16 KB":         {func(int, int) time.Duration { return ms / 2 }, 16 << 10, 1, 10 * ms},
		"near, 160 KB":        {func(int, int) time.Duration { return ms / 2 }, 160 << 10, 5, 20 * ms},
		"near, 1 MB":          {func(int, int) time.Duration { return ms / 2 }, 1 << 20, 32, 60 * ms},
		"near but one, 1 MB":  {func(a, b int) time.Duration { return ms/2 + time.Duration(max(a, b)/49*45)*ms }, 1 << 20, 32, 160 * ms},
		"near but one, 16 KB": {func(a, b int) time.Duration { return ms/2 + time.Duration(max(a, b)/49*20)*ms }, 16 << 10, 1, 50 * ms},
		"far, 16 KB":          {func(int, int) time.Duration { return 25 * ms }, 16 << 10, 16, 70 * ms},
		"far but in three places, 160 KB": {func(a, b int) time.Duration {
			if a%3 == b%3 {
				return ms / 2
			}
			return 25 * ms
		}, 160 << 10, 160, 90 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			gigabit := func(int) float64 { return 1e9 }
			s := relaysim.New(relaysim.Config{Peers: 50, Seed: 1, Judge: ms, Latency: c.oneWay, Up: gigabit, Down: gigabit})
			b := s.Block(1, c.size)
			s.Publish(0, b)
			s.Run(2 * time.Second)
			r, did := s.Result(b, everybody), total(s)
			require.Zero(t, r.Missing)
			require.LessOrEqual(t, r.All, c.within)
			require.Equal(t, c.pieces, did.Pieces/49)
			require.Zero(t, did.Wants)
			require.Zero(t, did.Duplicates)
		})
	}
}

// TestMuteNearRelayIsMadeUpFor: near members wait long for what is late, for processors are slow, but not for ever.
func TestMuteNearRelayIsMadeUpFor(t *testing.T) {
	const ms = time.Millisecond
	gigabit := func(int) float64 { return 1e9 }
	s := relaysim.New(relaysim.Config{
		Peers: 50, Seed: 1, Judge: ms, Latency: func(int, int) time.Duration { return ms / 2 }, Up: gigabit, Down: gigabit,
		Send: func(from, _ int, f *relay.Frame) []*relay.Frame {
			if from == 7 {
				return nil
			}
			return []*relay.Frame{f}
		},
	})
	b := s.Block(1, 4<<20) // each of the others relays some of it
	s.Publish(0, b)
	s.Run(5 * time.Second)
	r, did := s.Result(b, func(i int) bool { return i != 7 }), total(s)
	require.Zero(t, r.Missing)
	require.Positive(t, did.Wants)
	require.Less(t, r.All, 600*ms)
}

// TestRoundTripIsMeasuredAgain: what was measured while a peer was busy does not last; a round trip that has become longer is
// believed after some more.
func TestRoundTripIsMeasuredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 2, simtest.Link{Latency: 10 * time.Millisecond, BitsPerSecond: 100e6})
		a, b := m.nodes[0].carrier, m.nodes[1].host.ID()
		rtt := func(id peer.ID) time.Duration {
			d, ok := a.RoundTrip(id)
			require.True(t, ok)
			return d
		}
		require.InDelta(t, 20, rtt(b).Milliseconds(), 2)
		a.SetRoundTrip(b, time.Second)
		time.Sleep(15 * time.Second)
		require.InDelta(t, 20, rtt(b).Milliseconds(), 2)
		a.SetRoundTrip(b, 4*time.Millisecond)
		time.Sleep(25 * time.Minute)
		require.InDelta(t, 20, rtt(b).Milliseconds(), 2)
	})
}
