// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/relaysim"
)

// TestMuteHiddenMembersAreFound: who is hidden and passes nothing on in its organization delays that for two blocks. Then neither its organization nor
// visible members of others, whose guest it is, count on it; nobody else is blamed.
func TestMuteHiddenMembersAreFound(t *testing.T) {
	const orgs, members, size, blocks = 10, 5, 300_000, 4
	mute := map[int]bool{7: true, 13: true, 14: true, 28: true} // one of the second organization, two of the third, one of the sixth
	s := relaysim.New(relaysim.Config{
		Peers: orgs * members, Seed: 1, Judge: 2 * time.Millisecond, Topic: 120 * time.Millisecond, Guests: true,
		Org: func(i int) string { return fmt.Sprint(i / members) }, Hidden: func(i int) bool { return i%members > 0 },
		Send: func(from, _ int, f *relay.Frame) []*relay.Frame {
			if mute[from] {
				return nil
			}
			return []*relay.Frame{f}
		},
	})
	for number := range uint64(blocks) {
		b := s.Block(number+1, size)
		s.Publish(0, b)
		s.Run(time.Second)
		r := s.Result(b, func(i int) bool { return !mute[i] })
		require.Zero(t, r.Missing, "block %d", b.Number)
		if number >= 2 {
			require.Less(t, r.All, 190*time.Millisecond, "block %d", b.Number)
		}
	}
	for i := 0; i < orgs*members; i += members {
		for j := i + 1; j < i+members; j++ {
			require.Equal(t, mute[j], s.Peers[i].Weight(relaysim.ID(j)) == 0, "peer %d", j)
		}
	}
}

// TestOrganizationsDisownTheirOwn: a guest gets no pieces to pass on after a visible member of its organization has said so; others' word does not count.
func TestOrganizationsDisownTheirOwn(t *testing.T) {
	for name, c := range map[string]struct {
		by     relay.Member
		listen bool
	}{
		"its organization":                {relay.Member{ID: "host", Org: "other", Connected: true}, true},
		"another organization":            {relay.Member{ID: "third", Org: "third", Connected: true}, false},
		"another guest of the same":       {relay.Member{ID: "twin", Org: "other", Connected: true, Guest: true}, false},
		"hidden member of our own, lying": {relay.Member{ID: "own", Org: "org", Connected: true, Hidden: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			members := []relay.Member{
				{ID: "a", Org: "org", Connected: true}, {ID: "host", Org: "other", Connected: true}, {ID: "guest", Org: "other", Connected: true, Guest: true},
			}
			if c.by.ID != "host" {
				members = append(members, c.by)
			}
			p, b := play(t, members...), newBlock(1, 100_000, "a")
			require.True(t, p.Announced(p.now, b.Announcement))
			p.Receive(p.now, c.by.ID, &relay.Frame{Kind: relay.Unready, Ref: b.Ref(), Targets: []relay.Short{relay.ShortOf("guest")}})
			for i := range 12 {
				p.Receive(p.now, "a", b.piece(relay.Relay, i, 1))
			}
			require.Equal(t, c.listen, p.pieces("guest") == 0)
		})
	}
}
