// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/relaysim"
)

// TestLossCostsLittle: 50 peers lose a packet in a hundred, and there is no parity. Without early repair 1 MB takes 336 ms here, 160 KB 248 ms.
func TestLossCostsLittle(t *testing.T) {
	for size, within := range map[int]time.Duration{160 << 10: 210 * time.Millisecond, 1 << 20: 300 * time.Millisecond} {
		s := relaysim.New(relaysim.Config{Peers: 50, Seed: 1, Loss: 0.01, NoParity: true, Judge: 2 * time.Millisecond})
		var sum time.Duration
		for k := range 4 {
			b := s.Block(uint64(k+1), size)
			s.Publish(0, b)
			s.Run(time.Second)
			require.Zero(t, s.Result(b, everybody).Missing)
			sum += s.Result(b, everybody).All
		}
		require.Less(t, sum/4, within, "%d bytes", size)
		require.Less(t, float64(total(s).Received), 1.05*4*49*float64(size))
		for j := 1; j < 50; j++ {
			require.Greater(t, s.Peers[0].Weight(relaysim.ID(j)), 0.3, "peer %d", j)
		}
	}
}

// rest plays a receiver that has got all leaves but some of a block that a has announced.
func rest(t *testing.T, rtt time.Duration, fanOut, size int, missing ...int) (*player, *blockOf) {
	p, b := play(t, apart(rtt)...), newBlock(1, size, "a")
	p.FanOut = fanOut
	p.Announced(p.now, b.Announcement)
	lacks := map[int]bool{}
	for _, i := range missing {
		lacks[i] = true
	}
	for i := range b.tree.Count() {
		if !lacks[i] {
			p.Receive(p.now, "b", b.piece(relay.Final, i, 1))
		}
	}
	return p, b
}

const mega = 1_000_000

// apart are five members.
func apart(rtt time.Duration) (members []relay.Member) {
	for _, id := range []peer.ID{"a", "b", "c", "d", "e"} {
		members = append(members, relay.Member{ID: id, Org: "org", Connected: true, RTT: rtt})
	}
	return members
}

// wants are the leaves that are asked for, by who is asked.
func (p *player) wants() map[peer.ID][]int {
	all := map[peer.ID][]int{}
	for _, id := range []peer.ID{"a", "b", "c", "d", "e"} {
		for _, f := range p.sent(id) {
			for i := range 64 * len(f.Missing) {
				if f.Kind == relay.Want && f.Missing.Has(i) {
					all[id] = append(all[id], i)
				}
			}
		}
	}
	return all
}

// run are the numbers from first on.
func run(first, count int) (all []int) {
	for i := range count {
		all = append(all, first+i)
	}
	return all
}

func TestRestIsAskedOfOthers(t *testing.T) {
	const far = 50 * time.Millisecond
	for name, c := range map[string]struct {
		rtt     time.Duration
		fanOut  int
		missing []int
		asked   int // how many members, at one time
	}{
		"one leaf":                             {far, 0, []int{900}, 1},
		"the last leaves":                      {far, 0, run(974, 3), 1},
		"more than one answer is to hold":      {far, 0, run(900, 33), 3},
		"more, and two may be asked at most":   {far, 1, run(900, 33), 2},
		"too many: they are not lost but late": {far, 0, run(900, 62), 0},
		"near members: processors are late":    {relay.NearRTT, 0, run(900, 3), 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := rest(t, c.rtt, c.fanOut, mega, c.missing...)
			p.pass(30 * time.Millisecond)
			require.Empty(t, p.wants(), "it may be on its way")
			p.pass(20 * time.Millisecond)
			var got []int
			asked := p.wants()
			require.Len(t, asked, c.asked)
			require.NotContains(t, asked, peer.ID("a"), "who announced it would hold it against a relay")
			for _, id := range []peer.ID{"b", "c", "d", "e"} {
				got = append(got, asked[id]...)
			}
			if c.asked > 0 {
				require.ElementsMatch(t, c.missing, got, "each of one member")
			}
		})
	}
}

// TestRestOfABigBodyIsAskedOfMore: its leaves are big, and 33 of them would stand in one connection for long.
func TestRestOfABigBodyIsAskedOfMore(t *testing.T) {
	p, _ := rest(t, 50*time.Millisecond, 0, 10*mega, run(900, 5)...)
	p.pass(200 * time.Millisecond)
	asked := p.wants()
	delete(asked, "a") // nothing has come for long
	require.Len(t, asked, 3)
}

// TestRestIsAskedForAFewTimes: soon again, for the answer may be lost; then it is overdue like all else.
func TestRestIsAskedForAFewTimes(t *testing.T) {
	p, b := rest(t, 50*time.Millisecond, 0, mega, 900)
	others, announcer := 0, 0
	for range 30 {
		p.pass(10 * time.Millisecond)
		for id := range p.wants() {
			if id == "a" {
				announcer++
			} else {
				others++
			}
		}
	}
	require.Equal(t, 4, others)
	require.Equal(t, 1, announcer)

	p.Receive(p.now, "c", b.piece(relay.Final, 900, 1))
	done := p.Take().Complete
	require.Len(t, done, 1)
	require.Equal(t, b.body, done[0].Body)
}

// TestRestIsNoComplaint: what was asked of others is not reported as late, so that no relay is blamed for what the network lost.
func TestRestIsNoComplaint(t *testing.T) {
	p, b := rest(t, 50*time.Millisecond, 0, mega, 900)
	p.pass(100 * time.Millisecond)
	require.NotEmpty(t, p.wants())
	p.Receive(p.now, "c", b.piece(relay.Final, 900, 1))
	var report *relay.Frame
	for _, f := range p.sent("a") {
		if f.Kind == relay.Done {
			report = f
		}
	}
	require.NotNil(t, report)
	require.Equal(t, relay.NewBitmap(b.tree.Count()), report.Missing)
	require.Zero(t, p.Take().Complete[0].Repaired)
}

// tails takes out what waits for a member, and counts how often it is told that it was sent everything.
func (p *player) tails(to peer.ID) (n int) {
	for _, f := range p.sent(to) {
		if f.Kind == relay.Tail {
			n++
		}
	}
	return n
}

func TestRelaysAreToldThatTheyWereSentEverything(t *testing.T) {
	for name, c := range map[string]struct {
		rtt           time.Duration
		report, again bool
		want          int
	}{
		"six times":                 {50 * time.Millisecond, false, false, 6},
		"until it reports":          {50 * time.Millisecond, true, false, 1},
		"until another block comes": {50 * time.Millisecond, false, true, 1},
		"not near members":          {relay.NearRTT, false, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, b := play(t, apart(c.rtt)...), newBlock(1, 5_000_000, "me")
			p.Publish(p.now, b.Announcement, b.body, b.tree)
			p.pass(100 * time.Millisecond)
			require.Zero(t, p.tails("a"), "pieces still waited")
			p.pass(10 * time.Millisecond)
			got := p.tails("a")
			if c.report {
				p.Receive(p.now, "a", &relay.Frame{Kind: relay.Done, Ref: b.Ref(), Missing: relay.NewBitmap(b.tree.Count())})
			}
			if c.again {
				next := newBlock(2, 5_000_000, "me")
				p.Publish(p.now, next.Announcement, next.body, next.tree)
				require.Positive(t, p.pieces("a"))
				p.pass(10 * time.Millisecond)
				require.Equal(t, 1, p.tails("a"), "of the new one")
				return
			}
			for range 20 {
				p.pass(30 * time.Millisecond)
				got += p.tails("a")
			}
			require.Equal(t, c.want, got)
		})
	}
}
