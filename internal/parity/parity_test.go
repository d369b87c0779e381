// SPDX-License-Identifier: Apache-2.0

package parity_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/internal/leaves"
	"github.com/weft-p2p/weft/internal/parity"
)

func body(seed uint64, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// cut is a body as shards.
func cut(body []byte) (all [][]byte) {
	for at := 0; at < len(body); at += parity.Shard {
		all = append(all, body[at:min(at+parity.Shard, len(body))])
	}
	return all
}

// Relays carry leaves.
func TestShardsAreLeaves(t *testing.T) {
	require.Equal(t, parity.Shard, leaves.Size(parity.MaxBody))
	require.Equal(t, parity.Shard, leaves.Size(parity.MaxBody/parity.MaxShare))
}

// Shards come in any order until the tally says that it is enough.
func TestRebuild(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(4<<10, 300<<10), rapid.IntRange(1<<20, parity.MaxBody)).Draw(t, "size")
		shards := rapid.IntRange(1, parity.Shards(size)/parity.MaxShare).Draw(t, "parity")
		seed := rapid.Uint64Range(0, 999).Draw(t, "seed")
		code, err := parity.New(size, shards)
		require.NoError(t, err)
		whole := body(seed, size)
		more, err := code.Encode(whole)
		require.NoError(t, err)
		require.Len(t, more, shards*parity.Shard)

		data, extra := cut(whole), cut(more)
		here, hereToo := make([][]byte, len(data)), make([][]byte, len(extra))
		tally, last := code.Tally(), 0
		for _, last = range rand.New(rand.NewPCG(seed, 1)).Perm(len(data) + len(extra)) {
			if last < len(data) {
				here[last] = data[last]
				tally.Add(last)
			} else {
				hereToo[last-len(data)] = extra[last-len(data)]
				tally.Add(last - len(data))
			}
			if tally.Enough() {
				break
			}
		}
		rebuilt, err := code.Rebuild(here, hereToo)
		require.NoError(t, err)
		require.True(t, bytes.Equal(whole, rebuilt))

		if last < len(data) {
			here[last] = nil
		} else {
			hereToo[last-len(data)] = nil
		}
		_, err = code.Rebuild(here, hereToo)
		require.ErrorIs(t, err, parity.ErrShort)
	})
}

// Any part of 1 MiB that is as long as a tenth, less one leaf for each of five groups, may be missing.
func TestRunsAreLostByAllGroupsAlike(t *testing.T) {
	const size = 1 << 20
	shards := parity.Share(size, 10)
	code, err := parity.New(size, shards)
	require.NoError(t, err)
	whole := body(1, size)
	more, err := code.Encode(whole)
	require.NoError(t, err)
	for _, from := range []int{0, 17, 1024 - shards} {
		data := cut(whole)
		for i := range shards {
			data[from+i] = nil
		}
		rebuilt, err := code.Rebuild(data, cut(more))
		require.NoError(t, err)
		require.Equal(t, whole, rebuilt)
	}
}

func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		size, parity int
		ok           bool
	}{
		"none":              {1 << 20, 0, false},
		"negative":          {1 << 20, -1, false},
		"one":               {1 << 20, 1, true},
		"a fourth":          {1 << 20, 256, true},
		"more":              {1 << 20, 257, false},
		"four shards":       {3<<10 + 1, 1, true},
		"three":             {3 << 10, 1, false},
		"empty":             {0, 1, false},
		"negative size":     {-1, 1, false},
		"the biggest":       {parity.MaxBody, 512, true},
		"above the biggest": {parity.MaxBody + 1, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parity.New(c.size, c.parity)
			if c.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, parity.ErrCode)
			}
		})
	}
	for size, want := range map[int]int{0: 0, 1: 0, 3 << 10: 0, 4 << 10: 1, 64 << 10: 7, 1 << 20: 105, 2 << 20: 210, 2<<20 + 1: 0} {
		require.Equal(t, want, parity.Share(size, 10), size)
	}
}

func TestEncodeTakesTheAnnouncedSize(t *testing.T) {
	code, err := parity.New(4<<10, 1)
	require.NoError(t, err)
	_, err = code.Encode(make([]byte, 4<<10-1))
	require.ErrorIs(t, err, parity.ErrCode)
	_, err = code.Rebuild(nil, nil)
	require.ErrorIs(t, err, parity.ErrCode)
}

// Others compute the same parity, on whatever machine.
func TestVector(t *testing.T) {
	whole := make([]byte, 300<<10+1)
	for i := range whole {
		whole[i] = byte(i * 7)
	}
	code, err := parity.New(len(whole), 31)
	require.NoError(t, err)
	more, err := code.Encode(whole)
	require.NoError(t, err)
	sum := sha256.Sum256(more)
	require.Equal(t, "9b64c147f2a2f1e3a2add5f1d01939e1310b2c80748b1a3061cd896f076589f8", hex.EncodeToString(sum[:]))
}

// FuzzRebuild: whatever is missing and whatever the parity says, the result has the size of the body, or there is an error.
func FuzzRebuild(f *testing.F) {
	f.Add(uint(64<<10), uint(7), []byte{1, 2, 3}, []byte{0xff})
	f.Add(uint(2<<20-5), uint(300), []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, size, shards uint, missing, noise []byte) {
		code, err := parity.New(int(size%parity.MaxBody), int(shards%1024))
		if err != nil {
			return
		}
		whole, more := body(1, int(size%parity.MaxBody)), make([]byte, int(shards%1024)*parity.Shard)
		copy(more, noise)
		data := cut(whole)
		for i, b := range missing {
			data[(i*256+int(b))%len(data)] = nil
		}
		rebuilt, err := code.Rebuild(data, cut(more))
		if err != nil {
			require.ErrorIs(t, err, parity.ErrShort)
			return
		}
		require.Len(t, rebuilt, len(whole))
	})
}

func BenchmarkRebuild(b *testing.B) {
	for _, size := range []int{160 << 10, 1 << 20, 2 << 20} {
		shards := parity.Share(size, 10)
		code, err := parity.New(size, shards)
		require.NoError(b, err)
		whole := body(1, size)
		more, err := code.Encode(whole)
		require.NoError(b, err)
		b.Run(fmt.Sprint("encode/", size), func(b *testing.B) {
			for b.Loop() {
				_, _ = code.Encode(whole)
			}
		})
		b.Run(fmt.Sprint("rebuild/", size), func(b *testing.B) {
			data := cut(whole)
			for i := range len(data) / 12 {
				data[i*11] = nil
			}
			for b.Loop() {
				if _, err := code.Rebuild(data, cut(more)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
