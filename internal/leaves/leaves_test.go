// SPDX-License-Identifier: Apache-2.0

package leaves_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/weft-p2p/weft/internal/leaves"
)

func sum(parts ...[]byte) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func TestRootFollowsRFC6962(t *testing.T) {
	l := func(b []byte) []byte { return sum([]byte{0}, b) }
	n := func(a, b []byte) []byte { return sum([]byte{1}, a, b) }
	three := pattern(3 * 4096)
	for name, c := range map[string]struct{ body, want []byte }{
		"empty":             {nil, l(nil)},
		"one leaf":          {[]byte("block"), l([]byte("block"))},
		"one full leaf":     {pattern(4096), l(pattern(4096))},
		"one byte past":     {pattern(4097), n(l(pattern(4097)[:4096]), l(pattern(4097)[4096:]))},
		"three, left heavy": {three, n(n(l(three[:4096]), l(three[4096:8192])), l(three[8192:]))},
	} {
		t.Run(name, func(t *testing.T) {
			got := leaves.Root(c.body)
			require.Equal(t, hex.EncodeToString(c.want), hex.EncodeToString(got[:]))
		})
	}
}

func TestCountAndSize(t *testing.T) {
	for _, c := range []struct{ body, size, count int }{
		{0, 4096, 1}, {1, 4096, 1}, {4096, 4096, 1}, {4097, 4096, 2},
		{1 << 20, 4096, 256}, {1<<20 + 1, 8192, 129}, {10 << 20, 8192, 1280},
	} {
		require.Equal(t, c.size, leaves.Size(c.body), "size of %d", c.body)
		require.Equal(t, c.count, leaves.Count(c.body), "count of %d", c.body)
	}
}

func BenchmarkRoot(b *testing.B) {
	body := pattern(1 << 20)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		leaves.Root(body)
	}
}
