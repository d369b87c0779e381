// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/leaves"
)

// player is one machine, "me", among members a to e.
type player struct {
	t *testing.T
	*relay.Machine
	now time.Time
}

func play(t *testing.T, members ...relay.Member) *player {
	p := &player{t, relay.New(relay.Config{Self: "me", Org: "org", Rand: rand.New(rand.NewPCG(1, 2))}), time.Unix(1000, 0)}
	if members == nil {
		for _, id := range []peer.ID{"a", "b", "c", "d", "e"} {
			members = append(members, relay.Member{ID: id, Org: "org", Connected: true, RTT: 50 * time.Millisecond})
		}
	}
	p.Members(p.now, members)
	return p
}

// blockOf is a block that a has announced.
type blockOf struct {
	relay.Announcement
	body []byte
	tree *leaves.Tree
}

func newBlock(number uint64, size int, by peer.ID) *blockOf {
	b := &blockOf{body: make([]byte, size)}
	for i := range b.body {
		b.body[i] = byte(i*7) ^ byte(i>>8) ^ byte(number)
	}
	b.tree = leaves.Build(b.body)
	b.Announcement = relay.Announcement{Number: number, Root: b.tree.Root(), Size: size, From: by, Org: "org", Sealed: []byte("sealed by " + by)}
	b.Crown, _ = b.tree.Crown(nil)
	return b
}

func (b *blockOf) piece(mode relay.Mode, first, count int, targets ...relay.Short) *relay.Frame {
	proof, _ := b.tree.Prove(nil, first, count)
	size := leaves.Size(b.Size)
	return &relay.Frame{
		Kind: relay.Piece, Ref: b.Ref(), Mode: mode, First: first, Count: count, Proof: proof, Targets: targets,
		Data: b.body[first*size : min((first+count)*size, b.Size)],
	}
}

// sent are the frames that wait for a member, taken out.
func (p *player) sent(to peer.ID) (all []*relay.Frame) {
	for _, data := range []bool{false, true} {
		for {
			f, ok := p.Next(p.now, to, data)
			if !ok {
				break
			}
			all = append(all, f)
		}
	}
	return all
}

// pass lets time pass, tick by tick.
func (p *player) pass(d time.Duration) {
	for end := p.now.Add(d); p.now.Before(end); {
		p.now = p.now.Add(10 * time.Millisecond)
		p.Tick(p.now)
	}
}

func (p *player) pieces(to peer.ID) (n int) {
	for _, f := range p.sent(to) {
		if f.Kind == relay.Piece {
			n++
		}
	}
	return n
}

func TestRelayForwardsToAllButSourceOnce(t *testing.T) {
	p, b := play(t), newBlock(1, 100_000, "a")
	require.True(t, p.Announced(p.now, b.Announcement))
	p.Receive(p.now, "a", b.piece(relay.Relay, 4, 4))
	for _, id := range []peer.ID{"b", "c", "d", "e"} {
		got := p.sent(id)
		require.Len(t, got, 1)
		require.Equal(t, relay.Final, got[0].Mode, "nobody forwards what was forwarded")
	}
	require.Empty(t, p.sent("a"))
	p.Receive(p.now, "a", b.piece(relay.Relay, 4, 4))
	require.Empty(t, p.sent("b"))
}

func TestWhatIsNotForwarded(t *testing.T) {
	b := newBlock(1, 100_000, "a")
	altered := b.piece(relay.Relay, 4, 4)
	altered.Data = append([]byte(nil), altered.Data...)
	altered.Data[9] ^= 1
	for name, c := range map[string]struct {
		from      peer.ID
		piece     *relay.Frame
		announced bool
		forged    int
	}{
		"without an announcement":     {"a", b.piece(relay.Relay, 4, 4), false, 0},
		"of who did not announce it":  {"b", b.piece(relay.Relay, 4, 4), true, 0},
		"repair of who did not":       {"b", b.piece(relay.Targeted, 4, 4, relay.ShortOf("c")), true, 0},
		"repair that names nobody":    {"a", b.piece(relay.Targeted, 4, 4), true, 0},
		"altered":                     {"a", altered, true, 1},
		"meant for us alone":          {"a", b.piece(relay.Final, 4, 4), true, 0},
		"of who is no member":         {"x", b.piece(relay.Relay, 4, 4), true, 0},
		"for the hidden of other org": {"a", b.piece(relay.WithinOrg, 4, 4), true, 0},
		"to who is not hidden":        {"a", b.piece(relay.IntoOrg, 4, 4), true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := play(t)
			if c.announced {
				require.True(t, p.Announced(p.now, b.Announcement))
			}
			p.Receive(p.now, c.from, c.piece)
			for _, id := range []peer.ID{"b", "c", "d", "e"} {
				require.Empty(t, p.sent(id))
			}
			require.Equal(t, c.forged, p.Stats().Forged)
		})
	}
}

func TestParkedPiecesGoOnWhenTheAnnouncementComes(t *testing.T) {
	p, b := play(t), newBlock(1, 100_000, "a")
	p.Receive(p.now, "a", b.piece(relay.Relay, 4, 4))
	p.pass(40 * time.Millisecond)
	ask := p.sent("a")
	require.Len(t, ask, 1, "who sent it is asked for the announcement")
	require.Equal(t, relay.Want, ask[0].Kind)
	require.Nil(t, ask[0].Missing)
	p.Announced(p.now, b.Announcement)
	require.Equal(t, 1, p.pieces("c"))

	p.Receive(p.now, "a", newBlock(2, 100_000, "a").piece(relay.Relay, 4, 4))
	p.pass(1100 * time.Millisecond)
	p.Announced(p.now, newBlock(2, 100_000, "a").Announcement)
	require.Zero(t, p.pieces("c"), "parked for a second at most")
}

func TestParkingIsBounded(t *testing.T) {
	p := play(t)
	for k := range 3000 {
		p.Receive(p.now, "a", newBlock(uint64(k+1), 4096, "a").piece(relay.Relay, 0, 4))
	}
	s := p.Stats()
	require.LessOrEqual(t, s.Parked*4096, 1<<20, "one peer fills a quarter of 4 MiB")
	require.Positive(t, s.Overflow)
	p.Receive(p.now, "b", newBlock(9000, 4096, "b").piece(relay.Relay, 0, 4))
	require.Equal(t, s.Parked+1, p.Stats().Parked, "and leaves room for others")
}

func TestRootsHavePlaces(t *testing.T) {
	p := play(t)
	at := func(number uint64, size int, by peer.ID, org string) bool {
		b := newBlock(number, size, by)
		b.Org = org
		return p.Announced(p.now, b.Announcement)
	}
	require.True(t, at(1, 5000, "a", "org1"))
	require.True(t, at(1, 5000, "a", "org1"), "the same once more")
	require.False(t, at(1, 5001, "a", "org1"), "one root an announcer")
	require.True(t, at(1, 5001, "b", "org1"))
	require.False(t, at(1, 5002, "c", "org1"), "two roots an organization")
	require.True(t, at(1, 5001, "c", "org1"), "but any announcer of a root that is there")
	require.True(t, at(1, 5002, "d", "org2"))
	require.True(t, at(2, 5001, "c", "org1"), "another number")
	require.False(t, at(relay.Window+1, 1, "e", "org3"), "beyond the window")

	p.Refute(p.now, newBlock(1, 5000, "a").Announcement)
	require.True(t, at(1, 5003, "e", "org1"), "a root that failed frees its place")
	require.False(t, at(1, 5004, "a", "org1"), "but not for who announced it")
}

func TestCancelNamesItsTargets(t *testing.T) {
	p, b := play(t), newBlock(1, 100_000, "a")
	p.Announced(p.now, b.Announcement)
	p.Receive(p.now, "a", b.piece(relay.Relay, 4, 4))
	cancel := &relay.Frame{Kind: relay.Cancel, Ref: b.Ref(), Missing: relay.NewBitmap(b.tree.Count()), Targets: []relay.Short{relay.ShortOf("c")}}
	cancel.Missing.Set(4)
	p.Receive(p.now, "d", cancel)
	require.Equal(t, 1, p.pieces("b"), "only an announcer cancels")
	p.Receive(p.now, "a", cancel)
	require.Zero(t, p.pieces("c"))
	require.Equal(t, 1, p.pieces("e"), "who has not complained gets it all the same")
}

func TestWhoCannotJudgeIsExcused(t *testing.T) {
	p, b := play(t), newBlock(1, 300_000, "me")
	p.Publish(p.now, b.Announcement, b.body, b.tree)
	before := map[peer.ID]int{}
	for _, id := range []peer.ID{"a", "b", "c", "d", "e"} {
		before[id] = p.pieces(id)
		require.Positive(t, before[id])
	}
	p.Receive(p.now, "b", &relay.Frame{Kind: relay.Unready, Ref: b.Ref()})
	p.pass(50 * time.Millisecond)
	moved := 0
	for _, id := range []peer.ID{"a", "c", "d", "e"} {
		moved += p.pieces(id)
	}
	require.Equal(t, before["b"], moved, "others relay its pieces")
	p.pass(5 * time.Second)
	require.EqualValues(t, 1, p.Weight("b"))
}

func TestNextKeepsItsOrder(t *testing.T) {
	p := play(t)
	b := newBlock(1, 200_000, "me")
	p.Publish(p.now, b.Announcement, b.body, b.tree)
	for _, id := range []peer.ID{"b", "c", "d", "e"} {
		p.sent(id)
	}
	p.pass(100 * time.Millisecond) // so that a could miss them
	p.Receive(p.now, "a", b.lacksAll())
	p.pass(30 * time.Millisecond)
	control, ok := p.Next(p.now, "a", false)
	require.True(t, ok)
	require.Equal(t, relay.Announce, control.Kind)
	var modes []relay.Mode
	for range 8 {
		f, _ := p.Next(p.now, "a", true)
		modes = append(modes, f.Mode)
	}
	require.Equal(t, []relay.Mode{relay.Relay, relay.Relay, relay.Relay, relay.Final, relay.Relay, relay.Relay, relay.Relay, relay.Final}, modes,
		"new pieces first, and no repair starves")
}

func TestSlowPeerLosesOldBlocksOnly(t *testing.T) {
	p := play(t)
	for number := range uint64(20) {
		b := newBlock(number+1, 1_000_000, "a")
		require.True(t, p.Announced(p.now, b.Announcement))
		for i := 0; i+4 <= b.tree.Count(); i += 4 {
			p.Receive(p.now, "a", b.piece(relay.Relay, i, 4))
		}
		p.sent("b") // takes all; the others take nothing
	}
	require.Positive(t, p.Stats().Dropped)
	bytes, oldest := 0, 1<<30
	for _, f := range p.sent("c") {
		bytes += f.Size()
		if f.Kind == relay.Piece {
			for number := range uint64(20) {
				if f.Ref == newBlock(number+1, 1_000_000, "a").Ref() {
					oldest = min(oldest, int(number+1))
				}
			}
			break
		}
	}
	require.Greater(t, oldest, 5)
}

// lacksAll is a complaint about the whole block.
func (b *blockOf) lacksAll() *relay.Frame {
	f := &relay.Frame{Kind: relay.Want, Ref: b.Ref(), Missing: relay.NewBitmap(b.tree.Count()), Have: relay.NewBitmap(b.tree.Count())}
	for i := range b.tree.Count() {
		f.Missing.Set(i)
	}
	return f
}

func TestUnreachedMembersAreLeftToABuddy(t *testing.T) {
	members := []relay.Member{{ID: "far", Org: "org"}}
	for i := range 5 {
		members = append(members, relay.Member{ID: peer.ID(fmt.Sprint("m", i)), Org: "org", Connected: true})
	}
	p, b := play(t, members...), newBlock(1, 100_000, "m0")
	p.Announced(p.now, b.Announcement)
	p.Receive(p.now, "m0", b.piece(relay.Relay, 4, 4))
	named := 0
	for i := range 5 {
		for _, f := range p.sent(members[i+1].ID) {
			if len(f.Targets) > 0 {
				require.Equal(t, []relay.Short{relay.ShortOf("far")}, f.Targets)
				named++
			}
		}
	}
	require.Equal(t, 1, named)

	buddy, c := play(t), newBlock(2, 100_000, "a")
	buddy.Announced(buddy.now, c.Announcement)
	buddy.Receive(buddy.now, "b", c.piece(relay.Final, 4, 4, relay.ShortOf("e")))
	require.Equal(t, 1, buddy.pieces("e"))
	require.Zero(t, buddy.pieces("d"))
}

// TestTrueRootWithAWrongSize: who announces a block with its root and another size gets a place of its own; true pieces fit
// the true announcement whoever was first, and nobody who brings them is blamed.
func TestTrueRootWithAWrongSize(t *testing.T) {
	p, b := play(t), newBlock(1, 100_000, "a")
	lie := b.Announcement
	lie.From, lie.Size = "e", b.Size+1
	require.True(t, p.Announced(p.now, lie))
	require.True(t, p.Announced(p.now, b.Announcement))
	for i := range b.tree.Count() {
		p.Receive(p.now, []peer.ID{"b", "c", "d"}[i%3], b.piece(relay.Final, i, 1))
	}
	done := p.Take()
	require.Empty(t, done.Forged)
	require.Len(t, done.Complete, 1)
	require.Equal(t, b.body, done.Complete[0].Body)
}

// TestWhoCannotJudgeIsNotCountedOn: a member that is catching up gets no pieces of later blocks to forward, until it has
// completed one, or some time has passed. It gets the announcements all the same, and its weight does not suffer.
func TestWhoCannotJudgeIsNotCountedOn(t *testing.T) {
	p := play(t)
	number := uint64(0)
	counted := func() bool { // on b, for the next block
		number++
		b := newBlock(number, 100_000, "me")
		p.Publish(p.now, b.Announcement, b.body, b.tree)
		pieces := false
		for _, f := range p.sent("b") {
			pieces = pieces || f.Kind == relay.Piece && f.Mode == relay.Relay
		}
		p.pass(100 * time.Millisecond)
		return pieces
	}
	unready := func() {
		p.Receive(p.now, "b", &relay.Frame{Kind: relay.Unready, Ref: newBlock(number, 100_000, "me").Ref()})
	}
	require.True(t, counted())
	unready()
	require.False(t, counted())
	p.Receive(p.now, "b", &relay.Frame{Kind: relay.Done, Ref: newBlock(number, 100_000, "me").Ref(), Missing: relay.NewBitmap(newBlock(1, 100_000, "me").tree.Count())})
	require.True(t, counted(), "it has completed a block")
	unready()
	require.False(t, counted())
	p.pass(10 * time.Second)
	require.True(t, counted(), "it may have caught up meanwhile")
	require.EqualValues(t, 1, p.Weight("b"))
}

// TestFalseCrownIsNotPassedOn: what an announcer says of the crown is held against the root before others hear it from us.
func TestFalseCrownIsNotPassedOn(t *testing.T) {
	for name, crown := range map[string][]byte{"false": make([]byte, 64*16), "none": nil} {
		p, b := play(t), newBlock(1, 100_000, "a")
		b.Crown, b.Targets = crown, []relay.Short{relay.ShortOf("b"), relay.ShortOf("c")}
		require.True(t, p.Announced(p.now, b.Announcement))
		for _, id := range []peer.ID{"b", "c"} {
			got := p.sent(id)
			require.Len(t, got, 1, name)
			require.Equal(t, relay.Announce, got[0].Kind)
			require.Empty(t, got[0].Proof, name)
		}
	}
}
