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
	n := func(a, b []byte) []byte { return sum([]byte{1}, a[:16], b[:16]) }
	three := pattern(3 * 1024)
	for name, c := range map[string]struct{ body, want []byte }{
		"empty":             {nil, l(nil)},
		"one leaf":          {[]byte("block"), l([]byte("block"))},
		"one full leaf":     {pattern(1024), l(pattern(1024))},
		"one byte past":     {pattern(1025), n(l(pattern(1025)[:1024]), l(pattern(1025)[1024:]))},
		"three, left heavy": {three, n(n(l(three[:1024]), l(three[1024:2048])), l(three[2048:]))},
	} {
		t.Run(name, func(t *testing.T) {
			got := leaves.Root(c.body)
			require.Equal(t, hex.EncodeToString(c.want), hex.EncodeToString(got[:]))
		})
	}
}

func TestCountAndSize(t *testing.T) {
	for _, c := range []struct{ body, size, count int }{
		{0, 1024, 1}, {1, 1024, 1}, {1024, 1024, 1}, {1025, 1024, 2},
		{2 << 20, 1024, 2048}, {2<<20 + 1, 8192, 257}, {10 << 20, 8192, 1280},
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
