// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/ledger"
)

const (
	fuzzIdentity = "weft ledger 1\nchannel \"ch\"\nmark 6d61726b6d61726b\n"
	firstSegment = "00000000000000000000.blocks"
)

// FuzzRecover opens a ledger over arbitrary segment bytes: it must refuse them as ErrCorrupt or be a ledger in which
// every block can be read, the next can be appended and all are still there after a reopen.
func FuzzRecover(f *testing.F) {
	valid := fuzzSegment(f)
	f.Add(valid, []byte(nil))
	f.Add(valid[:len(valid)-1], []byte(nil))
	f.Add(valid[:200], valid[200:])
	f.Add(append(bytes.Clone(valid), make([]byte, 100)...), []byte("noise"))
	f.Add(bytes.Repeat([]byte("markmark"), 100), []byte(nil))
	for _, at := range []int{0, 8, 16, 20, 23, 24, 40} {
		flipped := bytes.Clone(valid)
		flipped[at] ^= 0x80
		f.Add(flipped, []byte(nil))
	}
	base := fastDir(f)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		dir, err := os.MkdirTemp(base, "")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		write(t, dir, "ledger", []byte(fuzzIdentity))
		write(t, dir, firstSegment, first)
		if len(second) > 0 {
			write(t, dir, "00000000000000000002.blocks", second)
		}
		l, err := ledger.Open(dir, ledger.Options{Channel: "ch"})
		if err != nil {
			require.ErrorIs(t, err, ledger.ErrCorrupt)
			return
		}
		height := appendNext(t, l)
		require.NoError(t, l.Close())
		l, err = ledger.Open(dir, ledger.Options{Channel: "ch"})
		require.NoError(t, err)
		require.Equal(t, height, l.Height())
		require.NoError(t, l.Close())
	})
}

// appendNext reads every block and appends one more.
func appendNext(t *testing.T, l *ledger.Ledger) uint64 {
	c := newChain(1)
	for n := range l.Height() {
		b, err := l.Block(n)
		require.NoError(t, err)
		require.Equal(t, n, b.GetHeader().GetNumber())
		c.blocks = append(c.blocks, b)
	}
	require.NoError(t, l.Append(c.add(1, 10)...))
	return l.Height()
}

// fuzzSegment is the segment of a ledger with the mark of fuzzIdentity: one append of one block, one of two, one of one.
func fuzzSegment(t testing.TB) []byte {
	dir := fastDir(t)
	write(t, dir, "ledger", []byte(fuzzIdentity))
	l, err := ledger.Open(dir, ledger.Options{})
	require.NoError(t, err)
	c := newChain(1)
	for _, n := range []int{1, 2, 1} {
		require.NoError(t, l.Append(c.add(n, 30)...))
	}
	require.NoError(t, l.Close())
	raw, err := os.ReadFile(filepath.Join(dir, firstSegment))
	require.NoError(t, err)
	return raw
}

func write(t testing.TB, dir, name string, content []byte) {
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
}
