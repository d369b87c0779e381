// SPDX-License-Identifier: Apache-2.0

package relay_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/relay"
	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/internal/relaysim"
	"github.com/weft-p2p/weft/internal/stream"
)

// TestFramesAtTheLimits: what is as big as it may be is read, and not what is one bigger.
func TestFramesAtTheLimits(t *testing.T) {
	targets := func(n int) *relay.Frame {
		return &relay.Frame{Kind: relay.Piece, Count: 1, Targets: make([]relay.Short, n)}
	}
	words := func(n int) *relay.Frame {
		return &relay.Frame{Kind: relay.Want, Missing: make(relay.Bitmap, n), Have: make(relay.Bitmap, 1)}
	}
	data := func(n int) *relay.Frame { return &relay.Frame{Kind: relay.Piece, Count: 1, Data: make([]byte, n)} }
	whole := func(n int) *relay.Frame {
		f := &relay.Frame{Kind: relay.Announce, Data: make([]byte, n)}
		f.Data = f.Data[:n-(len(f.Append(nil))-n)]
		return f
	}
	for name, c := range map[string]struct {
		frame func(n int) *relay.Frame
		most  int
	}{
		"maxTargetsOnWire": {targets, relay.MaxTargetsOnWire}, "maxWords": {words, relay.MaxWords}, "MaxData": {data, relay.MaxData},
		"MaxFrame": {whole, relay.MaxFrame},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := relay.Decode(c.frame(c.most).Append(nil))
			require.NoError(t, err)
			require.True(t, bytes.Equal(c.frame(c.most).Append(nil), got.Append(nil)))
			_, err = relay.Decode(c.frame(c.most + 1).Append(nil))
			require.ErrorIs(t, err, relay.ErrFrame)
		})
	}
}

// told is what somebody wrote on a stream.
func told(frames ...[]byte) *bytes.Buffer {
	var b bytes.Buffer
	for _, f := range frames {
		b.Write(append(binary.AppendUvarint(nil, uint64(len(f))), f...))
	}
	return &b
}

func named(name string) []byte { return append([]byte{0}, name...) }

func numbered(n int, f *relay.Frame) []byte {
	return f.Append(binary.AppendUvarint([]byte{1}, uint64(n)))
}

// TestStreamsAtTheLimits: names, and frames on a stream, at their limits and one past them.
func TestStreamsAtTheLimits(t *testing.T) {
	unready := &relay.Frame{Kind: relay.Unready}
	scopes := func(n int) (all [][]byte) {
		for i := range n {
			all = append(all, named(fmt.Sprint(i)))
		}
		return append(all, numbered(n-1, unready))
	}
	long := func(kind relay.Kind, n int) []byte {
		f := &relay.Frame{Kind: kind, Count: 1, Mode: relay.Final}
		f.Data = make([]byte, relay.MaxData)
		if kind == relay.Announce {
			f.Data = make([]byte, n)
		} else {
			f.Targets = make([]relay.Short, relay.MaxTargetsOnWire)
			f.Proof = make([]byte, 255*16)
		}
		return numbered(0, f)
	}
	for name, c := range map[string]struct {
		said [][]byte
		want error
	}{
		"maxScope":              {[][]byte{named(strings.Repeat("c", relay.MaxScope)), numbered(0, unready)}, nil},
		"maxScope, one past":    {[][]byte{named(strings.Repeat("c", relay.MaxScope+1)), numbered(0, unready)}, relay.ErrFrame},
		"maxScopes":             {scopes(relay.MaxScopes), nil},
		"maxScopes, one past":   {scopes(relay.MaxScopes + 1), relay.ErrFrame},
		"no such channel":       {[][]byte{named("c"), numbered(1, unready)}, relay.ErrFrame},
		"the longest piece":     {[][]byte{named("c"), long(relay.Piece, 0)}, nil},
		"a long announcement":   {[][]byte{named("c"), long(relay.Announce, relay.LongFrame)}, nil},
		"MaxFrame, one past":    {[][]byte{named("c"), make([]byte, relay.MaxFrame+1)}, stream.ErrTooLarge},
		"nonsense, and so long": {[][]byte{named("c"), make([]byte, relay.MaxFrame)}, relay.ErrFrame},
	} {
		t.Run(name, func(t *testing.T) {
			_, f, err := relay.Frames(told(c.said...), relay.MaxFrame)()
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.want == nil, f != nil && err == nil)
		})
	}
	require.LessOrEqual(t, len(long(relay.Piece, 0)), relay.LongFrame, "no honest piece is above")
}

// TestLongFramesReserveTheirMemory: as long as they are handled, and no longer.
func TestLongFramesReserveTheirMemory(t *testing.T) {
	long := numbered(0, &relay.Frame{Kind: relay.Announce, Data: make([]byte, 500_000)})
	next := relay.Frames(told(named("c"), long, long, long), len(long))
	for range 3 {
		_, _, err := next()
		require.NoError(t, err)
	}
	_, _, err := relay.Frames(told(named("c"), long), len(long)-1)()
	require.ErrorIs(t, err, io.ErrShortBuffer)
	short := numbered(0, &relay.Frame{Kind: relay.Announce, Data: make([]byte, relay.LongFrame-100)})
	_, _, err = relay.Frames(told(named("c"), short), 0)()
	require.NoError(t, err, "what the stream has reserved is enough")
}

// TestWorkAtTheLimit: a burst is free, one byte past it has to wait, for as long as the rate says.
func TestWorkAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates := relay.Rates()
		one := fair.Owner{Org: "A", Identity: "one"}
		wait, _ := rates.Reserve(one, relay.WorkBurst)
		require.Zero(t, wait)
		wait, own := rates.Reserve(one, relay.Work/1000)
		require.InDelta(t, float64(time.Millisecond), float64(wait), 1000)
		require.True(t, own)

		rates = relay.Rates()
		for i := range relay.OrgWorkBurst / relay.WorkBurst {
			wait, _ = rates.Reserve(fair.Owner{Org: "A", Identity: fmt.Sprint(i)}, relay.WorkBurst)
			require.Zero(t, wait)
		}
		wait, own = rates.Reserve(fair.Owner{Org: "A", Identity: "last"}, relay.WorkBurst)
		require.Positive(t, wait)
		require.False(t, own, "its organization's is nobody's fault")
		wait, _ = rates.Reserve(fair.Owner{Org: "B", Identity: "one"}, relay.WorkBurst)
		require.Zero(t, wait, "others are not held up")
	})
	f := &relay.Frame{Kind: relay.Piece, Data: make([]byte, 4096)}
	require.Equal(t, 1024+f.Size(), relay.Cost(f))
	require.Equal(t, 262_144+f.Size(), relay.Cost(&relay.Frame{Kind: relay.Announce, Data: f.Data}))
	require.Equal(t, 65_536+28, relay.Cost(&relay.Frame{Kind: relay.Want}))
}

// TestHonestWorkIsFarFromTheLimit: bursts of blocks cost no identity a quarter of what it may cause, and no organization.
func TestHonestWorkIsFarFromTheLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("it costs seconds, and many under the race detector")
	}
	for _, c := range []struct{ peers, size, rate int }{{2, 1e6, 20}, {50, 1e6, 20}, {12, 16 << 10, 100}, {50, 16 << 10, 100}} {
		t.Run(fmt.Sprintf("%d blocks/s of %d bytes to %d peers", c.rate, c.size, c.peers), func(t *testing.T) {
			each, all := map[[2]int]int{}, map[int]int{} // by receiver
			s := relaysim.New(relaysim.Config{
				Peers: c.peers, Seed: 1, Up: func(int) float64 { return 1e9 }, Judge: 2 * time.Millisecond,
				Send: func(from, to int, f *relay.Frame) []*relay.Frame {
					each[[2]int{from, to}] += relay.Cost(f)
					all[to] += relay.Cost(f)
					return []*relay.Frame{f}
				},
			})
			blocks := c.rate / 5
			for k := range blocks {
				s.Publish(0, s.Block(uint64(k+1), c.size))
				s.Run(time.Second / time.Duration(c.rate))
			}
			s.Run(time.Second)
			worst, org := 0, 0
			for _, n := range each {
				worst = max(worst, 5*n)
			}
			for _, n := range all {
				org = max(org, 5*n)
			}
			t.Logf("%.1f MB/s of one identity, %.1f MB/s of all", float64(worst)/1e6, float64(org)/1e6)
			require.Less(t, worst, relay.Work/4)
			require.Less(t, org, relay.OrgWork/4)
		})
	}
}

// TestUnfinishedBodiesAtTheLimit: an announcer's and a channel's share are filled to the last byte, and not one further.
func TestUnfinishedBodiesAtTheLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("it costs seconds, and many under the race detector")
	}
	var members []relay.Member
	for _, id := range []peer.ID{"a", "a2", "b", "c"} {
		members = append(members, relay.Member{ID: id, Identity: strings.TrimSuffix(string(id), "2"), Org: string(id[0]), Connected: true})
	}
	p := play(t, members...)
	half, more := newBlock(1, relay.AnnouncerBytes/2, "a"), newBlock(1, relay.AnnouncerBytes/2+1, "a")
	begun := func(of *blockOf, number uint64, by peer.ID) bool {
		b, before := *of, p.Stats().Overflow
		b.Number, b.From, b.Org = number, by, string(by[0])
		require.True(t, p.Announced(p.now, b.Announcement))
		p.Receive(p.now, by, b.piece(relay.Final, 0, 1))
		p.Receive(p.now, by, b.piece(relay.Final, 1, 1))
		return p.Stats().Overflow == before
	}
	require.True(t, begun(half, 1, "a"))
	require.False(t, begun(more, 2, "a"), "one byte past announcerBytes")
	require.True(t, begun(half, 3, "a"))
	require.False(t, begun(half, 4, "a2"), "another host key of the identity")
	require.True(t, begun(half, 5, "b"))
	require.False(t, begun(more, 6, "c"), "one byte past heldBytes")
	require.True(t, begun(half, 7, "b"))
	require.False(t, begun(newBlock(8, 2<<10, "c"), 8, "c"))

	p.Refute(p.now, half.Announcement)
	require.True(t, begun(half, 9, "c"), "what is given up makes room")
}

// TestParkedPiecesAtTheLimit: an identity fills a quarter of what may be parked, its organization half, and not one piece more.
func TestParkedPiecesAtTheLimit(t *testing.T) {
	var members []relay.Member
	for _, id := range []peer.ID{"a1", "a2", "b1", "c1", "d1"} {
		org := "evil"
		if id == "d1" {
			org = "other"
		}
		members = append(members, relay.Member{ID: id, Identity: string(id[0]), Org: org, Connected: true})
	}
	p := play(t, members...)
	piece := newBlock(1, 16<<10, "a").piece(relay.Final, 0, 16)
	each := relay.ParkedSize(piece)
	park := func(by peer.ID) (bytes int) {
		for before := -1; p.Stats().Parked > before; bytes += each {
			before = p.Stats().Parked
			p.Receive(p.now, by, piece)
		}
		return bytes - each
	}
	quarter := relay.ParkBytes / 4 / each * each
	require.Equal(t, quarter, park("a1"))
	require.Zero(t, park("a2"), "another host key of the identity")
	require.InDelta(t, quarter, park("b1"), float64(each), "another identity")
	require.LessOrEqual(t, park("c1"), 2*each, "its organization has half")
	require.Equal(t, quarter, park("d1"))
	p.pass(1100 * time.Millisecond)
	require.Equal(t, quarter, park("a2"), "parked for a second at most")
}

// TestFinishedBodiesAtTheLimit: bodies stay for complaints up to lingerBytes; one byte more, and the oldest goes.
func TestFinishedBodiesAtTheLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("it costs seconds, and many under the race detector")
	}
	for name, c := range map[string]struct {
		last int
		kept bool
	}{"at the limit": {16 << 20, true}, "one past": {16<<20 + 1, false}} {
		t.Run(name, func(t *testing.T) {
			p := play(t)
			var first *blockOf
			for number := range uint64(4) {
				size := 16 << 20
				if number == 3 {
					size = c.last
				}
				b := newBlock(number+1, size, "me")
				p.Publish(p.now, b.Announcement, b.body, b.tree)
				if first == nil {
					first = b
				}
			}
			p.Committed(p.now, 5)
			p.pass(relay.Linger/3 + 100*time.Millisecond)
			for _, id := range []peer.ID{"a", "b", "c", "d", "e"} {
				p.sent(id)
			}
			want := &relay.Frame{Kind: relay.Want, Ref: first.Ref(), Missing: relay.NewBitmap(first.tree.Count()), Have: relay.NewBitmap(first.tree.Count())}
			want.Missing.Set(0)
			p.Receive(p.now, "a", want)
			p.pass(100 * time.Millisecond)
			require.Equal(t, c.kept, p.pieces("a") > 0)
		})
	}
}

// TestQueueAtTheLimit: of older blocks queueBytes wait for a peer that takes nothing; a piece past it drops the oldest block.
func TestQueueAtTheLimit(t *testing.T) {
	p := play(t)
	waits, number := 0, uint64(0)
	relayed := func() int { // one more block of one piece
		number++
		b := newBlock(number, 64<<10, "a")
		require.True(t, p.Announced(p.now, b.Announcement))
		f := b.piece(relay.Relay, 0, 64)
		p.Receive(p.now, "a", f)
		return (&relay.Frame{Kind: relay.Piece, Proof: f.Proof, Data: f.Data}).Size()
	}
	for waits <= relay.QueueBytes {
		waits += relayed()
		p.Committed(p.now, number)
		require.Zero(t, p.Stats().Dropped, "%d bytes wait", waits)
	}
	relayed()
	require.Equal(t, 4, p.Stats().Dropped, "a piece for each of four peers")
	got := p.sent("b")
	require.Equal(t, newBlock(2, 64<<10, "a").Ref(), got[0].Ref, "the oldest block is gone")
	require.Len(t, got, int(number)-1)
}

// TestSmallBodiesGoToEverybody: up to directBytes the source sends a body to everybody itself, above over relays; among members
// within nearRTT it is directBytesNear.
func TestSmallBodiesGoToEverybody(t *testing.T) {
	for _, c := range []struct {
		size int
		rtt  time.Duration
		mode relay.Mode
	}{
		{relay.DirectBytes / 4, relay.NearRTT + 1, relay.Final},
		{relay.DirectBytes/4 + 1, relay.NearRTT + 1, relay.Relay},
		{relay.DirectBytesNear / 4, relay.NearRTT, relay.Final},
		{relay.DirectBytesNear/4 + 1, relay.NearRTT, relay.Relay},
	} {
		members := of("a", "b", "c", "d")
		for i := range members {
			members[i].RTT = c.rtt
		}
		p, b := play(t, members...), newBlock(1, c.size, "me")
		p.Publish(p.now, b.Announcement, b.body, b.tree)
		for _, f := range p.sent("a")[1:] {
			require.Equal(t, c.mode, f.Mode, "%d bytes", c.size)
		}
	}
}

// TestIntroductions: the source tells up to introduceAbove members itself; of one more, it has each told by one of a few. Of
// big bodies it is introduceBig, unless a hop takes longer than to tell them all.
func TestIntroductions(t *testing.T) {
	for _, c := range []struct {
		members, size int
		rtt           time.Duration
		introduced    bool
	}{
		{relay.IntroduceAbove, 5000, 50 * time.Millisecond, false},
		{relay.IntroduceAbove + 1, 5000, 50 * time.Millisecond, true},
		{relay.IntroduceBig, relay.BigBody, 10 * time.Millisecond, false},
		{relay.IntroduceBig + 1, relay.BigBody, 10 * time.Millisecond, true},
		{relay.IntroduceBig + 1, relay.BigBody - 1, 10 * time.Millisecond, false},
		{100, relay.BigBody, 50 * time.Millisecond, true},
		{100, relay.BigBody, 90 * time.Millisecond, false},
	} {
		var members []relay.Member
		for i := range c.members {
			members = append(members, relay.Member{ID: peer.ID(fmt.Sprintf("m%03d", i)), Org: "org", Connected: true, RTT: c.rtt})
		}
		p, b := play(t, members...), newBlock(1, c.size, "me")
		p.Publish(p.now, b.Announcement, b.body, b.tree)
		told, named := 0, 0
		for _, s := range members {
			for _, f := range p.sent(s.ID) {
				if f.Kind == relay.Announce {
					told++
					named += len(f.Targets)
				}
			}
		}
		require.Equal(t, c.members, told+named, "%+v", c)
		require.Equal(t, c.introduced, named > 0, "%+v", c)
	}
}

func of(ids ...peer.ID) (members []relay.Member) {
	for _, id := range ids {
		members = append(members, relay.Member{ID: id, Org: "org", Connected: true, RTT: 50 * time.Millisecond})
	}
	return members
}
