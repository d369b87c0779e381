// SPDX-License-Identifier: Apache-2.0

package blocksync_test

import (
	"slices"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/blocksync"
)

const quarter = blocksync.MaxBuffered / 4

func candidate(number uint64, from peer.ID, size int) blocksync.Candidate {
	return blocksync.Candidate{Block: &common.Block{Header: &common.BlockHeader{Number: number}}, From: from, Size: size}
}

func TestBufferAdd(t *testing.T) {
	type add struct {
		number uint64
		from   peer.ID
		size   int
		want   blocksync.Outcome
	}
	const next = 10
	for name, adds := range map[string][]add{
		"below the next":  {{9, "a", 1, blocksync.Stale}, {0, "a", 1, blocksync.Stale}},
		"last of window":  {{next + blocksync.Window - 1, "a", 1, blocksync.Stored}},
		"past the window": {{next + blocksync.Window, "a", 1, blocksync.Beyond}, {1<<64 - 1, "a", 1, blocksync.Beyond}},
		"repeated":        {{12, "a", 1, blocksync.Stored}, {12, "a", 1, blocksync.Repeated}, {12, "b", 1, blocksync.Stored}},
		"candidates of one number": {
			{12, "a", 1, blocksync.Stored}, {12, "b", 1, blocksync.Stored}, {12, "c", 1, blocksync.Stored}, {12, "d", 1, blocksync.Stored},
			{12, "e", 1, blocksync.Full}, {12, "", 1, blocksync.Stored}, {12, "", 1, blocksync.Repeated},
		},
		"quarter of one peer": {
			{12, "a", quarter, blocksync.Stored}, {13, "a", 1, blocksync.Full}, {13, "b", quarter, blocksync.Stored},
			{13, "", 2 * quarter, blocksync.Stored}, {14, "c", 1, blocksync.Full},
		},
		"one byte past a quarter": {{12, "a", quarter + 1, blocksync.Full}, {10, "a", quarter + 1, blocksync.Stored}},
		"next always has room": {
			{12, "", blocksync.MaxBuffered, blocksync.Stored}, {11, "b", 1, blocksync.Full}, {11, "", 1, blocksync.Full},
			{10, "b", 100 << 20, blocksync.Stored}, {10, "c", 1, blocksync.Full}, {10, "", 1, blocksync.Stored},
		},
		"nearer pushes out one's own farthest": {
			{20, "a", quarter - 1, blocksync.Stored}, {15, "a", 2, blocksync.Stored}, {20, "a", 1, blocksync.Stored}, {21, "a", quarter, blocksync.Full},
		},
		"nearer pushes out the farthest of peers": {
			{20, "a", quarter, blocksync.Stored}, {21, "b", quarter, blocksync.Stored}, {22, "c", quarter, blocksync.Stored},
			{23, "", quarter, blocksync.Stored}, {19, "d", quarter, blocksync.Stored}, {22, "c", 1, blocksync.Full}, {21, "b", 1, blocksync.Repeated},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := blocksync.NewBuffer(next)
			for i, a := range adds {
				require.Equal(t, a.want, b.Add(candidate(a.number, a.from, a.size)), "%d: %+v", i, a)
			}
		})
	}
}

func TestBufferForgetAndAdvance(t *testing.T) {
	b := blocksync.NewBuffer(1)
	for _, from := range []peer.ID{"", "a", "b"} {
		for number := range uint64(3) {
			require.Equal(t, blocksync.Stored, b.Add(candidate(number+1, from, 10)))
		}
	}
	require.Equal(t, 3, b.Len())
	b.Forget("a")
	b.Forget("nobody")
	all, share := b.Bytes("a")
	require.Equal(t, 60, all)
	require.Zero(t, share)
	require.Equal(t, []peer.ID{"", "b"}, sources(b, 2), "in the order in which they came")
	require.Equal(t, blocksync.Stored, b.Add(candidate(2, "a", 10)), "what was dropped may come again")
	require.Equal(t, []peer.ID{"", "b", "a"}, sources(b, 2))

	b.Advance(3)
	b.Advance(2)
	require.Equal(t, blocksync.Stale, b.Add(candidate(2, "c", 1)), "it does not go back")
	require.Equal(t, []peer.ID{"", "b"}, sources(b, 3))
	b.Advance(1 << 63)
	all, _ = b.Bytes("")
	require.Zero(t, all)
	require.Zero(t, b.Len())
}

func sources(b *blocksync.Buffer, number uint64) (ids []peer.ID) {
	for _, c := range b.At(number) {
		ids = append(ids, c.From)
	}
	return ids
}

// TestBufferProperties compares a buffer with a list of what it said it stored, minus what it may have pushed out.
func TestBufferProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		next := uint64(rapid.IntRange(1, 5).Draw(t, "next"))
		b := blocksync.NewBuffer(next)
		var model []blocksync.Candidate
		find := func(number uint64, from peer.ID) int {
			return slices.IndexFunc(model, func(c blocksync.Candidate) bool { return c.Block.Header.Number == number && c.From == from })
		}
		source := rapid.SampledFrom([]peer.ID{"", "a", "b", "c", "d", "e", "f"})
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				ahead := rapid.OneOf(rapid.Uint64Range(0, 4), rapid.Uint64Range(0, blocksync.Window+1)).Draw(t, "ahead")
				size := rapid.OneOf(rapid.IntRange(1, 1000), rapid.IntRange(1, quarter+10)).Draw(t, "size")
				c := candidate(next-1+ahead, source.Draw(t, "source"), size)
				known := find(c.Block.Header.Number, c.From) >= 0
				switch outcome := b.Add(c); {
				case ahead == 0:
					require.Equal(t, blocksync.Stale, outcome)
				case ahead > blocksync.Window:
					require.Equal(t, blocksync.Beyond, outcome)
				case known:
					require.Equal(t, blocksync.Repeated, outcome)
				case outcome == blocksync.Stored:
					model = append(model, c)
				default:
					require.Equal(t, blocksync.Full, outcome)
					require.False(t, ahead == 1 && (c.From == "" || len(b.At(next)) == 0), "the next number has room")
				}
			},
			"forget": func(t *rapid.T) {
				from := source.Draw(t, "source")
				b.Forget(from)
				model = slices.DeleteFunc(model, func(c blocksync.Candidate) bool { return c.From == from })
			},
			"advance": func(t *rapid.T) {
				next += uint64(rapid.IntRange(0, 10).Draw(t, "by"))
				b.Advance(next)
				model = slices.DeleteFunc(model, func(c blocksync.Candidate) bool { return c.Block.Header.Number < next })
			},
			"": func(t *rapid.T) {
				// Candidates of peers may have been pushed out; nothing else is lost, and nothing is made up.
				model = slices.DeleteFunc(model, func(c blocksync.Candidate) bool {
					lost := !slices.Contains(sources(b, c.Block.Header.Number), c.From)
					require.False(t, lost && (c.From == "" || c.Block.Header.Number == next), "lost %d of %q", c.Block.Header.Number, c.From)
					return lost
				})
				checkBuffer(t, b, next, model)
			},
		})
	})
}

func checkBuffer(t *rapid.T, b *blocksync.Buffer, next uint64, model []blocksync.Candidate) {
	sum, numbers := 0, map[uint64]int{}
	shares, free := map[peer.ID]int{}, map[peer.ID]int{} // free: the next number's, which the bounds do not count
	for _, c := range model {
		number := c.Block.Header.Number
		sum += c.Size
		shares[c.From] += c.Size
		if number == next && (c.From == "" || numbers[number] == 0) {
			free[c.From] = c.Size
		}
		numbers[number]++
		require.True(t, b.Has(number))
	}
	require.Equal(t, len(numbers), b.Len())
	for number, n := range numbers {
		require.Len(t, b.At(number), n)
		require.LessOrEqual(t, n, blocksync.MaxCandidates+1)
	}
	all, _ := b.Bytes("")
	require.Equal(t, sum, all)
	bounded := sum
	for from, share := range shares {
		_, counted := b.Bytes(from)
		require.Equal(t, share, counted)
		bounded -= free[from]
		if from != "" {
			require.LessOrEqual(t, share-free[from], quarter, "of %q", from)
		}
	}
	require.LessOrEqual(t, bounded, blocksync.MaxBuffered)
}

// BenchmarkBufferWithAGap adds what is beyond a gap, closes the gap and lets go of all.
func BenchmarkBufferWithAGap(b *testing.B) {
	candidates := make([]blocksync.Candidate, 251)
	for i := range candidates {
		candidates[i] = candidate(uint64(i+1), "a", 1000)
	}
	for b.Loop() {
		buffer := blocksync.NewBuffer(1)
		for _, c := range candidates[1:] {
			buffer.Add(c)
		}
		buffer.Add(candidates[0])
		for number := uint64(2); number <= 252; number++ {
			buffer.Advance(number)
		}
	}
}
