// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
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
		"guests":                  {true, 0, 160 * time.Millisecond, 1.4},
		"guests, hidden source":   {true, members - 1, 260 * time.Millisecond, 1.5},
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

// TestManyGuestsAreNoRelays: with guests and visible members above guestsAbove, a relay sends to its row and to one member of each other row, and
// to no guest, whose organization brings it the piece; up to it, it sends to everybody visible or to a guest of the same organization.
func TestManyGuestsAreNoRelays(t *testing.T) {
	const hosts = 30
	for members, rows := range map[int]bool{relay.GuestsAbove: false, relay.GuestsAbove + 1: true} {
		view := []relay.Member{{ID: "a", Org: "a", Connected: true}}
		for i := range members - 1 {
			m := relay.Member{ID: peer.ID(fmt.Sprintf("m%03d", i)), Org: fmt.Sprint(i % hosts), Connected: true, Guest: i >= hosts}
			view = append(view, m)
		}
		p, b := play(t, view...), newBlock(1, 100_000, "a")
		require.True(t, p.Announced(p.now, b.Announcement))
		p.Receive(p.now, "a", b.piece(relay.Relay, 0, 1))
		visible, guests := 0, 0
		for _, s := range view {
			if s.Guest {
				guests += p.pieces(s.ID)
			} else {
				visible += p.pieces(s.ID)
			}
		}
		if rows {
			require.Zero(t, guests)
			require.Less(t, visible, 20)
		} else {
			require.Equal(t, hosts, visible+guests, "one of each organization")
			require.Positive(t, guests)
		}
	}
}

// TestUnreachedMembersAreSharedOut: a relay leaves members that it has no connection to evenly to those that it has one to.
func TestUnreachedMembersAreSharedOut(t *testing.T) {
	var view []relay.Member
	for i := range 40 {
		view = append(view, relay.Member{ID: peer.ID(fmt.Sprintf("m%02d", i)), Org: "org", Connected: i%4 == 0})
	}
	p, b := play(t, append(view, relay.Member{ID: "a", Org: "org", Connected: true})...), newBlock(1, 100_000, "a")
	require.True(t, p.Announced(p.now, b.Announcement))
	p.Receive(p.now, "a", b.piece(relay.Relay, 0, 1))
	left := map[relay.Short]int{}
	for _, s := range view {
		for _, f := range p.sent(s.ID) {
			require.LessOrEqual(t, len(f.Targets), 3, "30 over 10")
			for _, to := range f.Targets {
				left[to]++
			}
		}
	}
	for _, s := range view {
		want := 1
		if s.Connected {
			want = 0
		}
		require.Equal(t, want, left[relay.ShortOf(s.ID)], s.ID)
	}
}
