// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/relaysim"
)

func times(n, votes int) []int { return slices.Repeat([]int{votes}, n) }

func TestSight(t *testing.T) {
	const all = 48
	for name, c := range map[string]struct {
		votes []int // of each block, out of all
		on    bool
	}{
		"nothing yet":                {nil, false},
		"one block":                  {times(1, all), false},
		"two":                        {times(2, all), true},
		"by more than a third":       {times(2, all/3+1), true},
		"by a third, for ever":       {times(100, all/3), false},
		"not in a row":               {[]int{all, 0, all, 0, all}, false},
		"not in a row, few between":  {[]int{all, all / 3, all}, false},
		"calm for seven":             {append(times(2, all), times(relay.CalmBlocks-1, 0)...), true},
		"calm for eight":             {append(times(2, all), times(relay.CalmBlocks, 0)...), false},
		"calm but for few":           {append(times(2, all), times(relay.CalmBlocks, all/6-1)...), false},
		"a sixth still sees loss":    {append(times(2, all), times(100, all/6)...), true},
		"calm, and one, and calm":    {slices.Concat(times(2, all), times(relay.CalmBlocks-1, 0), times(1, all), times(relay.CalmBlocks-1, 0)), true},
		"off, and lossy once":        {slices.Concat(times(2, all), times(relay.CalmBlocks, 0), times(1, all)), false},
		"off, and lossy for two":     {slices.Concat(times(2, all), times(relay.CalmBlocks, 0), times(2, all)), true},
		"calm for long before it is": {append(times(100, 0), times(2, all)...), true},
	} {
		t.Run(name, func(t *testing.T) {
			see, on := relay.Sight(), false
			for _, votes := range c.votes {
				on = see(votes, all)
			}
			require.Equal(t, c.on, on)
		})
	}
}

// Those who say that packets are lost decide together: not a few, not one organization, and not one identity.
func TestWhoSwitchesParityOn(t *testing.T) {
	const size = 100_000
	member := func(id peer.ID, org, identity string) relay.Member {
		return relay.Member{ID: id, Org: org, Identity: identity, Connected: true, RTT: 50 * time.Millisecond}
	}
	five := []relay.Member{member("a", "A", ""), member("b", "B", ""), member("c", "C", ""), member("d", "D", ""), member("e", "E", "")}
	crowd := []relay.Member{member("a", "A", ""), member("b", "A", "1"), member("c", "C", "1"), member("d", "C", "2"), member("e", "C", "3"), member("f", "D", ""), member("g", "E", "")}
	ids := []peer.ID{"a", "b", "c", "d", "e"}
	each := func(member int) int { return 2 * member } // each of another relay
	twins := []relay.Member{member("a", "A", "1"), member("b", "A", "1"), member("c", "A", "1"), member("d", "A", "2"), member("e", "A", "3")}
	for name, c := range map[string]struct {
		members []relay.Member
		lossy   []peer.ID
		size    int
		leaf    func(member int) int // that it lacks
		on      bool
	}{
		"nobody":                    {five, nil, size, each, false},
		"one of five":               {five, ids[:1], size, each, false},
		"two":                       {five, ids[:2], size, each, true},
		"where one is mute":         {append(slices.Clone(five), member("f", "F", "mute")), ids, size, each, true},
		"where two are":             {append(slices.Clone(five), member("f", "F", "mute"), member("g", "G", "mute")), ids, size, each, false},
		"all of one relay":          {five, ids, size, func(int) int { return 4 }, false},
		"one organization":          {crowd, ids[2:], size, each, false},
		"and one more":              {crowd, ids[1:], size, each, true},
		"host keys of one identity": {twins, ids[:3], size, each, false},
		"small blocks":              {five, ids, relay.ParityMin - 1, each, false},
		"the smallest that get any": {five, ids, relay.ParityMin, each, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := play(t, c.members...)
			for number := range uint64(relay.LossyBlocks) {
				require.False(t, p.Protecting())
				b := newBlock(number+1, c.size, "me")
				p.Publish(p.now, b.Announcement, b.body, b.tree)
				for i, m := range c.members {
					if m.Identity == "mute" {
						continue
					}
					f := &relay.Frame{Kind: relay.Done, Ref: b.Ref(), Missing: relay.NewBitmap(b.tree.Count())}
					if slices.Contains(c.lossy, m.ID) {
						f.Have = relay.NewBitmap(b.tree.Count())
						f.Have.Set(c.leaf(i))
					}
					p.Receive(p.now, m.ID, f)
				}
				p.pass(3 * time.Second)
			}
			require.Equal(t, c.on, p.Protecting())
			require.Equal(t, c.on, p.Take().Switched)
			require.Equal(t, c.on, p.Parity(400_000) > 0)
			require.Zero(t, p.Parity(relay.ParityMin-1))
			require.Zero(t, p.Parity(100<<20))
			require.Zero(t, p.Parity(relay.DirectBytes/len(c.members)), "everybody gets it from us")
		})
	}
}

// TestParityWhereLossIsSeen: a packet in a hundred is lost for some blocks, and none from then on.
func TestParityWhereLossIsSeen(t *testing.T) {
	const peers, size = 30, 400_000
	s := relaysim.New(relaysim.Config{Peers: peers, Seed: 1, Loss: 0.01, Judge: 2 * time.Millisecond})
	spread := func() (time.Duration, float64) {
		before := total(s).Received
		b := s.Block(s.Peers[0].Height(), size)
		s.Publish(0, b)
		s.Run(time.Second)
		require.Zero(t, s.Result(b, everybody).Missing)
		return s.Result(b, everybody).All, float64(total(s).Received-before) / ((peers - 1) * size)
	}
	for range relay.LossyBlocks {
		took, copies := spread()
		require.Greater(t, took, 180*time.Millisecond)
		require.Less(t, copies, 1.06)
	}
	for range 4 {
		require.True(t, s.Peers[0].Protecting())
		took, copies := spread()
		require.Less(t, took, 160*time.Millisecond)
		require.Less(t, copies, 1.15)
	}
	rebuilt := 0
	for _, p := range s.Peers {
		rebuilt += p.Stats().Rebuilt
	}
	require.Greater(t, rebuilt, peers)
	for j := 1; j < peers; j++ {
		require.Greater(t, s.Peers[0].Weight(relaysim.ID(j)), 0.3, "peer %d", j)
	}
	s.Loss = 0
	for range relay.CalmBlocks {
		require.True(t, s.Peers[0].Protecting())
		took, _ := spread()
		require.Less(t, took, 140*time.Millisecond)
	}
	require.False(t, s.Peers[0].Protecting())
	_, copies := spread()
	require.Less(t, copies, 1.001)
}

// TestNoParityWithoutLoss: what else makes blocks late does not bring parity.
func TestNoParityWithoutLoss(t *testing.T) {
	some := func(i int) bool { return i%3 == 1 }
	slow := func(i int) float64 {
		if some(i) {
			return 10e6
		}
		return 100e6
	}
	for name, c := range map[string]struct {
		config relaysim.Config
		size   int
		every  time.Duration
	}{
		"nothing": {relaysim.Config{}, 300_000, time.Second},
		"a third mute": {relaysim.Config{Send: func(from, _ int, f *relay.Frame) []*relay.Frame {
			return map[bool][]*relay.Frame{false: {f}}[some(from)]
		}}, 300_000, time.Second},
		"a third slow":         {relaysim.Config{Up: slow}, 300_000, time.Second},
		"blocks that overlap":  {relaysim.Config{}, 300_000, 30 * time.Millisecond},
		"more than fits":       {relaysim.Config{}, 300_000, 18 * time.Millisecond},
		"slow, and overlaps":   {relaysim.Config{Up: slow}, 300_000, 60 * time.Millisecond},
		"pairs apart":          {relaysim.Config{Linked: func(a, b int) bool { return (a*7+b*7)%20 != 3 }}, 300_000, time.Second},
		"switched off in loss": {relaysim.Config{Loss: 0.01, NoParity: true}, 300_000, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			c.config.Peers, c.config.Seed, c.config.Judge = 16, 1, 2*time.Millisecond
			s := relaysim.New(c.config)
			for number := range uint64(5) {
				s.Publish(0, s.Block(number+1, c.size))
				s.Run(c.every)
				require.False(t, s.Peers[0].Protecting())
			}
			s.Run(5 * time.Second)
			require.False(t, s.Peers[0].Protecting())
		})
	}
}
