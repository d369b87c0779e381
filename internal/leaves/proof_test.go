// SPDX-License-Identifier: Apache-2.0

package leaves_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/internal/leaves"
)

// part is what leaves have of a body.
func part(body []byte, first, count int) []byte {
	size := leaves.Size(len(body))
	return body[min(first*size, len(body)):min((first+count)*size, len(body))]
}

func crown(t require.TestingT, whole *leaves.Tree) []byte {
	c, ok := whole.Crown(nil)
	require.True(t, ok)
	return c
}

var sizes = []int{0, 1, 1024, 1025, 3 << 10, 5<<10 + 1, 64 << 10, 65<<10 + 1, 160<<10 + 3, 1<<20 + 77, 2 << 20, 2<<20 + 1, 5<<20 + 9}

func TestEveryRunIsProved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := pattern(rapid.SampledFrom(sizes).Draw(t, "size"))
		whole := leaves.Build(body)
		first := rapid.IntRange(0, whole.Count()-1).Draw(t, "first")
		count := rapid.IntRange(1, min(whole.Count()-first, 20)).Draw(t, "count")
		proof, ok := whole.Prove(nil, first, count)
		require.True(t, ok)
		got := leaves.NewTree(len(body), whole.Root())
		if whole.Count() > leaves.CrownMax && count < whole.Count() {
			require.ErrorIs(t, got.Verify(first, count, part(body, first, count), proof), leaves.ErrEarly)
		}
		require.NoError(t, got.AddCrown(crown(t, whole)))
		require.NoError(t, got.Verify(first, count, part(body, first, count), proof))
		again, ok := got.Prove(nil, first, count)
		require.True(t, ok, "who has verified a piece can prove it to others")
		require.Equal(t, proof, again)
		bad := append([]byte(nil), part(body, first, count)...)
		if len(bad) > 0 {
			bad[rapid.IntRange(0, len(bad)-1).Draw(t, "bit")] ^= 1
			require.ErrorIs(t, got.Verify(first, count, bad, proof), leaves.ErrForged)
		}
		if len(proof) > 0 {
			proof[rapid.IntRange(0, len(proof)-1).Draw(t, "proof bit")] ^= 1
			require.ErrorIs(t, got.Verify(first, count, part(body, first, count), proof), leaves.ErrForged)
		}
	})
}

// TestNothingIsLearntFromAForgery: what a rejected piece said must not make a later forgery look right.
func TestNothingIsLearntFromAForgery(t *testing.T) {
	body := pattern(128 << 10)
	whole := leaves.Build(body)
	for _, crowned := range []bool{false, true} {
		got := leaves.NewTree(len(body), whole.Root())
		if crowned {
			require.NoError(t, got.AddCrown(crown(t, whole)))
		}
		forged := pattern(1024)
		forged[0]++
		require.Error(t, got.Verify(0, 1, forged, nil))
		require.Error(t, got.Verify(0, 1, forged, make([]byte, 16*6)))
		require.Error(t, got.Verify(0, 1, forged, nil))
		_, ok := got.Prove(nil, 0, 1)
		require.False(t, ok)
	}
}

func TestCrownOfAnotherTree(t *testing.T) {
	for _, size := range sizes {
		body := pattern(size)
		whole := leaves.Build(body)
		got := leaves.NewTree(size, whole.Root())
		c := crown(t, whole)
		c[len(c)-1] ^= 1
		require.ErrorIs(t, got.AddCrown(c), leaves.ErrForged, "%d bytes", size)
		require.False(t, got.HasCrown())
		require.ErrorIs(t, got.AddCrown(c[1:]), leaves.ErrForged)
		require.ErrorIs(t, got.AddCrown(nil), leaves.ErrForged)
		require.NoError(t, got.AddCrown(crown(t, whole)))
		require.True(t, got.HasCrown())
	}
}

func TestLeavesOutsideTheTree(t *testing.T) {
	body := pattern(10 << 10)
	whole := leaves.Build(body)
	for _, c := range [][2]int{{-1, 1}, {0, 0}, {0, -1}, {10, 1}, {9, 2}, {1 << 62, 1 << 62}, {5, 1 << 62}} {
		require.ErrorIs(t, whole.Verify(c[0], c[1], nil, nil), leaves.ErrForged, "%v", c)
		_, ok := whole.Prove(nil, c[0], c[1])
		require.False(t, ok, "%v", c)
	}
	require.ErrorIs(t, whole.Verify(0, 1, pattern(1024), make([]byte, leaves.MaxProof+16)), leaves.ErrForged)
	require.ErrorIs(t, whole.Verify(0, 1, pattern(1024), make([]byte, 15)), leaves.ErrForged)
}

// TestProofsAreShort: a piece of 4 KiB of a block of 1 MiB costs two hashes.
func TestProofsAreShort(t *testing.T) {
	whole := leaves.Build(pattern(1 << 20))
	proof, _ := whole.Prove(nil, 8, 4)
	require.Len(t, proof, 2*leaves.HashSize)
	require.Len(t, crown(t, whole), leaves.CrownMax*leaves.HashSize)
}

func FuzzVerify(f *testing.F) {
	body := pattern(100 << 10)
	whole := leaves.Build(body)
	c, _ := whole.Crown(nil)
	proof, _ := whole.Prove(nil, 3, 2)
	f.Add(3, 2, part(body, 3, 2), proof, true)
	f.Add(0, 100, body, []byte{}, false)
	f.Fuzz(func(t *testing.T, first, count int, data, proof []byte, crowned bool) {
		got := leaves.NewTree(len(body), whole.Root())
		if crowned {
			require.NoError(t, got.AddCrown(c))
		}
		if got.Verify(first, count, data, proof) == nil {
			require.Equal(t, part(body, first, count), data)
		}
	})
}

// BenchmarkVerify answers: what does a receiver pay to hold a block of 1 MiB against its root, piece by piece?
func BenchmarkVerify(b *testing.B) {
	body := pattern(1 << 20)
	whole := leaves.Build(body)
	c, _ := whole.Crown(nil)
	var proofs [][]byte
	for i := 0; i < whole.Count(); i += 4 {
		p, _ := whole.Prove(nil, i, 4)
		proofs = append(proofs, p)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		t := leaves.NewTree(len(body), whole.Root())
		if err := t.AddCrown(c); err != nil {
			b.Fatal(err)
		}
		for i, p := range proofs {
			if err := t.Verify(4*i, 4, part(body, 4*i, 4), p); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// A proof up to the root needs no crown, and one up to the crown does.
func TestProofToTheRootNeedsNoCrown(t *testing.T) {
	for _, count := range []int{1, 2, 63, 64, 65, 100, 129, 500} {
		body := pattern(count<<10 - 7)
		whole := leaves.Build(body)
		for _, first := range []int{0, count / 3, count - 1} {
			data := body[first<<10 : min((first+1)<<10, len(body))]
			proof, ok := whole.ProveToRoot(nil, first, 1)
			require.True(t, ok)
			require.NoError(t, leaves.NewTree(len(body), whole.Root()).Verify(first, 1, data, proof), "leaf %d of %d", first, count)
			if short, _ := whole.Prove(nil, first, 1); count > 1 {
				require.ErrorIs(t, leaves.NewTree(len(body), whole.Root()).Verify(first, 1, data, short), leaves.ErrEarly, "leaf %d of %d", first, count)
			}
		}
	}
	_, ok := leaves.Build(pattern(5000)).ProveToRoot(nil, 4, 2)
	require.False(t, ok)
}
