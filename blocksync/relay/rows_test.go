// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/relaysim"
)

// TestRowsDeliver: where everybody is connected to the neighbours of the grid only, a block is with everybody after three hops,
// in one copy, no complaint, and nobody sends much more than others.
func TestRowsDeliver(t *testing.T) {
	if testing.Short() {
		t.Skip("it costs seconds, and many under the race detector")
	}
	const peers = 150
	for _, c := range []struct {
		size   int
		within time.Duration
		copies float64
	}{{0, 130 * time.Millisecond, 0}, {1000, 130 * time.Millisecond, 8}, {40_000, 150 * time.Millisecond, 1.4}, {200_000, 180 * time.Millisecond, 1.2}} {
		t.Run(fmt.Sprint(c.size, " bytes"), func(t *testing.T) {
			s := relaysim.New(relaysim.Config{Peers: peers, Seed: 1, Rows: true, Judge: 2 * time.Millisecond})
			b := s.Block(1, c.size)
			s.Publish(0, b)
			s.Run(3 * time.Second)
			r := s.Result(b, everybody)
			require.Zero(t, r.Missing)
			require.Less(t, r.All, c.within)
			require.Zero(t, total(s).Wants)
			require.EqualValues(t, (peers-1)*c.size, total(s).Received, "each byte enters each peer once")
			if c.copies > 0 {
				require.Less(t, float64(s.Payload)/float64((peers-1)*c.size), c.copies)
			}
		})
	}
}

// TestRowsSurvive: whatever a third of the members of a large network do, every other gets every block.
func TestRowsSurvive(t *testing.T) {
	if testing.Short() {
		t.Skip("it costs seconds, and many under the race detector")
	}
	for name, deed := range misdeeds {
		t.Run(name, func(t *testing.T) {
			const peers, size = 60, 60_000
			faulty := pick(rand.New(rand.NewPCG(4, 1)), peers/3, peers)
			honest := func(i int) bool { return !faulty[i] }
			var s *relaysim.Sim
			s = relaysim.New(relaysim.Config{Peers: peers, Seed: 5, Rows: true, Judge: 2 * time.Millisecond, Topic: 120 * time.Millisecond,
				Send: func(from, to int, f *relay.Frame) []*relay.Frame {
					if faulty[from] {
						return deed(s, to, f)
					}
					return []*relay.Frame{f}
				}})
			for number := range uint64(2) {
				b := s.Block(number+1, size)
				for _, p := range s.Peers {
					p.OnComplete = func(c relay.Complete) bool { return c.Number != b.Number || bytes.Equal(c.Body, b.Body) }
				}
				s.Publish(0, b)
				s.Run(4 * time.Second)
				r := s.Result(b, honest)
				require.Zero(t, r.Missing, "block %d", number+1)
				require.Less(t, r.All, 2*time.Second, "block %d", number+1)
			}
			for i, p := range s.Peers {
				require.Zero(t, p.Refuted, "peer %d", i)
				for j := range s.Peers {
					if honest(i) && honest(j) && i != j {
						require.Positive(t, p.Weight(relaysim.ID(j)), "peer %d dropped peer %d, which did no wrong", i, j)
					}
				}
			}
		})
	}
}

// TestRowsAskWhoHasIt: a row lacks what a mute member was to pass on along it. Its members ask those who have it, and after the first
// block those that answer: half of them have a block after one wait, and all after two.
func TestRowsAskWhoHasIt(t *testing.T) {
	if testing.Short() {
		t.Skip("it costs seconds, and many under the race detector")
	}
	const peers, size, blocks = 120, 80_000, 4
	mute := pick(rand.New(rand.NewPCG(4, 1)), peers/3, peers)
	s := relaysim.New(relaysim.Config{Peers: peers, Seed: 5, Rows: true, Judge: 2 * time.Millisecond, Topic: 120 * time.Millisecond,
		Send: func(from, to int, f *relay.Frame) []*relay.Frame {
			if mute[from] {
				return nil
			}
			return []*relay.Frame{f}
		}})
	for number := range uint64(blocks) {
		b := s.Block(number+1, size)
		s.Publish(0, b)
		s.Run(2 * time.Second)
		r := s.Result(b, func(i int) bool { return !mute[i] })
		require.Zero(t, r.Missing, "block %d", b.Number)
		if number > 0 {
			require.Less(t, r.Median, 300*time.Millisecond, "block %d", b.Number)
			require.Less(t, r.All, 440*time.Millisecond, "block %d", b.Number)
		}
	}
	require.Less(t, total(s).Duplicates, 400)
}

// TestAlongOnTheWire: the number of bits is in the mode of a piece, up to 15; other modes are nonsense.
func TestAlongOnTheWire(t *testing.T) {
	for mode, valid := range map[relay.Mode]bool{relay.Housed: true, relay.Housed + 1: false, relay.Along - 1: false, relay.Along: true, relay.Along + 15: true, relay.Along + 16: false} {
		raw := (&relay.Frame{Kind: relay.Piece, Mode: mode, Count: 1, Data: []byte{1}}).Append(nil)
		f, err := relay.Decode(raw)
		if !valid {
			require.ErrorIs(t, err, relay.ErrFrame, "mode %d", mode)
			continue
		}
		require.NoError(t, err, "mode %d", mode)
		require.Equal(t, mode, f.Mode)
	}
}

// TestAlongIsForwardedOnce: whoever sends a piece along a row again and again makes its members forward it once.
func TestAlongIsForwardedOnce(t *testing.T) {
	s := relaysim.New(relaysim.Config{Peers: 30, Seed: 1, Rows: true})
	b := s.Block(1, 60_000)
	s.Publish(0, b)
	s.Run(2 * time.Second)
	p := s.Peers[3]
	proof, ok := b.Tree.Prove(nil, 0, 1)
	require.True(t, ok)
	piece := &relay.Frame{Kind: relay.Piece, Ref: b.Ref(), Mode: relay.Along + 2, Count: 1, Proof: proof, Data: b.Body[:b.Tree.Leaf(0, 1)]}
	before := p.Stats().Forwarded
	for range 10 {
		p.Receive(time.Unix(1_000_000, 0).Add(s.Now()), relaysim.ID(1), piece)
	}
	require.LessOrEqual(t, p.Stats().Forwarded, before+1)
	require.Empty(t, p.Take().Forged, "and it is nobody's fault")
}
