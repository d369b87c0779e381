// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/relaysim"
)

// TestLargeNetworkInRows: in a view of hundreds, a block is with everybody after three hops in one copy, no complaint, and no
// member sends much more than others.
func TestLargeNetworkInRows(t *testing.T) {
	if testing.Short() {
		t.Skip("it costs seconds, and many under the race detector")
	}
	const peers, size = 520, 64 << 10
	s := relaysim.New(relaysim.Config{Peers: peers, Seed: 1, Judge: 2 * time.Millisecond})
	b := s.Block(1, size)
	s.Publish(0, b)
	s.Run(3 * time.Second)

	r := s.Result(b, everybody)
	require.Zero(t, r.Missing)
	require.Less(t, r.All, 150*time.Millisecond)
	require.Less(t, float64(s.Payload)/((peers-1)*size), 1.3, "copies")
	require.Zero(t, total(s).Wants)
	passed := 0
	for i, p := range s.Peers {
		passed += p.Stats().Forwarded
		require.Less(t, p.Stats().Forwarded, 30, "peer %d passes on more than its share: 64 of 9, and a piece of its own", i)
	}
	require.Greater(t, passed, 64*50, "each leaf is passed on by its relay and by one of each row")
}

// TestLargeNetworkWithMutePeers: who heads a row and passes nothing on costs the row a repair.
func TestLargeNetworkWithMutePeers(t *testing.T) {
	if testing.Short() {
		t.Skip("it costs seconds, and many under the race detector")
	}
	const peers = 520
	mute := pick(rand.New(rand.NewPCG(1, 1)), peers/10, peers)
	s := relaysim.New(relaysim.Config{Peers: peers, Seed: 1, Send: func(from, _ int, f *relay.Frame) []*relay.Frame {
		if mute[from] {
			return nil
		}
		return []*relay.Frame{f}
	}})
	b := s.Block(1, 32<<10)
	s.Publish(0, b)
	s.Run(5 * time.Second)
	r := s.Result(b, func(i int) bool { return !mute[i] })
	require.Zero(t, r.Missing)
	require.Less(t, r.All, time.Second)
}

// TestLargeNetworkWithTwoLeaders: two that have a block at once, and that wait with their pieces until announcements are
// out, spread it once.
func TestLargeNetworkWithTwoLeaders(t *testing.T) {
	if testing.Short() {
		t.Skip("it costs seconds, and many under the race detector")
	}
	const peers, size = 210, 160 << 10
	s := relaysim.New(relaysim.Config{Peers: peers, Seed: 1, Leader: func(i int) bool { return i < 2 }})
	for number := uint64(1); number <= 3; number++ {
		before := s.Payload
		b := s.Block(number, size)
		s.Offer(0, b)
		s.Offer(1, b)
		s.Run(3 * time.Second)
		require.Zero(t, s.Result(b, everybody).Missing)
		require.Less(t, float64(s.Payload-before)/((peers-1)*size), 1.4, "copies of block %d", number)
	}
}

// TestBurstsOfBlocks: blocks at the rates of a busy orderer, on 1 Gbit/s. They are there in order and no
// later at the end than at the beginning, nothing is dropped, and queues are empty when it is over.
func TestBurstsOfBlocks(t *testing.T) {
	if testing.Short() {
		t.Skip("it costs seconds, and many under the race detector")
	}
	for _, c := range []struct {
		name   string
		size   int
		every  time.Duration
		blocks int
		within time.Duration
	}{
		{"100 of 16 KB a second", 16 << 10, 10 * time.Millisecond, 100, 100 * time.Millisecond},
		{"20 of 1 MB a second", 1 << 20, 50 * time.Millisecond, 12, 150 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			gigabit := func(int) float64 { return 1e9 }
			s := relaysim.New(relaysim.Config{Peers: 20, Seed: 1, Judge: 2 * time.Millisecond, Up: gigabit, Down: gigabit})
			var blocks []*relaysim.Block
			for number := range c.blocks {
				b := s.Block(uint64(number+1), c.size)
				blocks = append(blocks, b)
				s.Publish(0, b)
				s.Run(c.every)
			}
			s.Run(time.Second)
			for _, b := range blocks {
				r := s.Result(b, everybody)
				require.Zero(t, r.Missing)
				require.Less(t, r.All, c.within, "block %d", b.Number)
			}
			for i, p := range s.Peers {
				require.Zero(t, p.Stats().Dropped+p.Stats().Overflow, "peer %d", i)
				require.Empty(t, p.Lost, "peer %d", i)
				require.Equal(t, uint64(c.blocks+1), p.Height(), "peer %d commits all in order", i)
			}
		})
	}
}
