// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/ledger"
	"github.com/weft-p2p/weft/internal/block"
)

// logged is a logger whose lines a test can look at.
func logged() (*slog.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	return slog.New(slog.NewTextHandler(&out, nil)), &out
}

// A kill is simulated at every byte of the last frames: without an index, with one that is behind (the process was
// killed) and with one that is ahead (the segment was put back from an older copy).
func TestKillAtEveryByte(t *testing.T) {
	c := newChain(1)
	c.add(6, 40)
	o := ledger.Options{Channel: "ch", SegmentSize: sizeOf(c.blocks[3:])}
	live := filepath.Join(fastDir(t), "live")
	l := open(t, live, o)
	require.NoError(t, l.Append(c.blocks[:3]...))
	require.NoError(t, l.Close())
	l = open(t, live, o)
	require.NoError(t, l.Append(c.blocks[3]))
	require.NoError(t, l.Append(c.blocks[4:]...))
	behind := filepath.Join(t.TempDir(), "behind")
	snapshot(t, live, behind)
	require.NoError(t, l.Close())
	none := filepath.Join(t.TempDir(), "none")
	snapshot(t, live, none)
	require.NoError(t, os.Remove(index(none)))

	for name, from := range map[string]string{"no index": none, "index behind": behind, "index ahead": live} {
		t.Run(name, func(t *testing.T) {
			truncateEverywhere(t, from, o, c)
		})
	}
}

// truncateEverywhere cuts the newest segment, which holds blocks 3 to 5.
func truncateEverywhere(t *testing.T, from string, o ledger.Options, c *chain) {
	const keep = 3
	dir := filepath.Join(fastDir(t), "ledger")
	for size := range sizeOf(c.blocks[keep:]) + 1 {
		snapshot(t, from, dir)
		require.NoError(t, os.Truncate(segments(t, dir)[1], size))
		whole := keep
		for whole < len(c.blocks) && sizeOf(c.blocks[keep:whole+1]) <= size {
			whole++
		}
		l, err := ledger.Open(dir, o)
		require.NoError(t, err)
		requireBlocks(t, l, c.blocks[:whole])
		require.NoError(t, l.Append(c.blocks[whole:]...))
		require.NoError(t, l.Close())
		l, err = ledger.Open(dir, o)
		require.NoError(t, err)
		requireBlocks(t, l, c.blocks)
		require.NoError(t, l.Close())
	}
}

func sizeOf(blocks []*common.Block) (n int64) {
	for _, b := range blocks {
		n += frameSize(b)
	}
	return n
}

// Power cuts leave the frames of the last append in any order, and rests that are not frames at all.
func TestTornTail(t *testing.T) {
	c := newChain(1)
	c.add(8, 40)
	whole := sizeOf(c.blocks[:4])
	tests := map[string]func(raw []byte) []byte{
		"nothing":                   func(raw []byte) []byte { return raw[:whole] },
		"zeroes":                    func(raw []byte) []byte { return append(raw[:whole], make([]byte, 3<<20)...) },
		"noise":                     func(raw []byte) []byte { return append(raw[:whole], newChain(2).envelope("x", 5000)...) },
		"first frame of the append": func(raw []byte) []byte { clear(raw[whole : whole+60]); return raw },
		"its mark":                  func(raw []byte) []byte { raw[whole] ^= 1; return raw },
		"its length":                func(raw []byte) []byte { raw[whole+23] = 0x7f; return raw },
		"mark at the very end":      func(raw []byte) []byte { return append(raw[:whole+9], raw[:8]...) },
		"frame of the append doubled": func(raw []byte) []byte {
			clear(raw[whole : whole+9])
			return append(raw, raw[sizeOf(c.blocks[:5]):]...)
		},
		"half a mark at a chunk's end": func(raw []byte) []byte { return append(append(raw[:whole], make([]byte, 1<<20-3)...), raw[:8]...) },
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			dir := filled(t, ledger.Options{}, c.blocks[:4])
			l := open(t, dir, ledger.Options{})
			require.NoError(t, l.Append(c.blocks[4:]...))
			torn := filepath.Join(t.TempDir(), "torn")
			snapshot(t, dir, torn)
			raw, err := os.ReadFile(segments(t, torn)[0])
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(segments(t, torn)[0], damage(raw), 0o600))

			log, out := logged()
			l = open(t, torn, ledger.Options{Log: log})
			requireBlocks(t, l, c.blocks[:4])
			require.Equal(t, name != "nothing", strings.Contains(out.String(), "level=WARN"), out)
			require.NoError(t, l.Append(c.blocks[4:]...))
			requireBlocks(t, l, c.blocks)
		})
	}
}

// A damaged block that had been durable is never dropped: reading it, or the rebuild that meets it, is ErrCorrupt.
func TestFlippedBit(t *testing.T) {
	c := newChain(1)
	c.add(12, 40)
	o := ledger.Options{SegmentSize: 5 * frameSize(c.blocks[1])}
	for segment, first := range []int{0, 5} {
		for _, at := range []int64{3, 10, 17, 22, 25, 28, 100} { // mark, number, position, length, CRC, block
			dir := filled(t, o, c.blocks)
			path := segments(t, dir)[segment]
			offset := sizeOf(c.blocks[first : first+2])
			flip(t, path, offset+at)

			l := open(t, dir, o)
			require.Equal(t, uint64(12), l.Height())
			_, err := l.Block(uint64(first + 2))
			require.ErrorIs(t, err, ledger.ErrCorrupt)
			require.ErrorContains(t, err, path)
			requireBlock(t, l, uint64(first+1), c.blocks[first+1])
			requireBlock(t, l, uint64(first+3), c.blocks[first+3])
			require.NoError(t, l.Close())

			require.NoError(t, os.Remove(index(dir)))
			_, err = ledger.Open(dir, o)
			require.ErrorIs(t, err, ledger.ErrCorrupt)
			require.ErrorContains(t, err, path)
		}
	}
}

// The newest segment holds durable blocks too: what follows a damaged frame shows whether it had been one.
func TestFlippedBitInTheNewestSegment(t *testing.T) {
	c := newChain(1)
	c.add(6, 40)
	for n := range c.blocks {
		for _, at := range []int64{0, 8, 20, 24, 60} {
			dir := filled(t, ledger.Options{}, c.blocks)
			require.NoError(t, os.Remove(index(dir)))
			flip(t, segments(t, dir)[0], sizeOf(c.blocks[:n])+at)
			l, err := ledger.Open(dir, ledger.Options{})
			if n < len(c.blocks)-1 {
				require.ErrorIs(t, err, ledger.ErrCorrupt)
				continue
			}
			require.NoError(t, err, "the last frame cannot be told from an unfinished append")
			requireBlocks(t, l, c.blocks[:n])
			require.NoError(t, l.Close())
		}
	}
}

func TestFlippedBitInTheLastIndexedBlock(t *testing.T) {
	c := newChain(1)
	c.add(6, 40)
	dir := filled(t, ledger.Options{}, c.blocks)
	flip(t, segments(t, dir)[0], sizeOf(c.blocks)-1)
	log, out := logged()
	l := open(t, dir, ledger.Options{Log: log})
	requireBlocks(t, l, c.blocks[:5])
	require.Contains(t, out.String(), `level=WARN msg="Blocks that the index knew are gone" height=5 was=6`)
}

// The index is never the truth. Each damage must end in a right ledger and, where the file was of no use, a log line.
func TestIndexThatDoesNotFit(t *testing.T) {
	c := newChain(1)
	c.add(40, 40)
	o := ledger.Options{Channel: "ch", SegmentSize: 2000}
	other := filled(t, o, newChain(2).add(40, 40))
	live := filepath.Join(t.TempDir(), "live")
	half := stage(t, live, o, c.blocks[:20])
	dir := stage(t, live, o, c.blocks[20:])
	future := stage(t, live, o, c.add(10, 40))
	c.blocks = c.blocks[:40]

	const dropped, forward = "Index dropped", "Index rolled forward"
	tests := map[string]struct {
		damage func(path string) error
		want   string
	}{
		"as it was":       {func(string) error { return nil }, ""},
		"missing":         {os.Remove, forward},
		"empty":           {func(p string) error { return os.Truncate(p, 0) }, forward},
		"half a page":     {func(p string) error { return os.Truncate(p, 1000) }, dropped},
		"metas only":      {func(p string) error { return os.Truncate(p, 8192) }, dropped},
		"half a file":     {func(p string) error { return os.Truncate(p, fileSize(p)/2) }, dropped},
		"noise":           {func(p string) error { return os.WriteFile(p, newChain(9).envelope("x", 50_000), 0o600) }, dropped},
		"another ledger":  {func(p string) error { return replace(p, index(other)) }, dropped},
		"older copy":      {func(p string) error { return replace(p, index(half)) }, forward},
		"from the future": {func(p string) error { return replace(p, index(future)) }, dropped},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			copied := filepath.Join(t.TempDir(), "ledger")
			snapshot(t, dir, copied)
			require.NoError(t, tt.damage(index(copied)))
			log, out := logged()
			l := open(t, copied, ledger.Options{Channel: "ch", SegmentSize: 2000, Log: log})
			requireBlocks(t, l, c.blocks)
			require.Contains(t, out.String(), tt.want)
			require.NoError(t, l.Append(c.add(1, 40)...))
			requireBlocks(t, l, c.blocks)
			c.blocks = c.blocks[:40]
		})
	}
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	return info.Size()
}

func replace(path, by string) error {
	raw, err := os.ReadFile(by)
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}

// stage appends blocks to a ledger in runs of six and returns a copy of its directory.
func stage(t *testing.T, live string, o ledger.Options, blocks []*common.Block) string {
	l := open(t, live, o.WithFlush(18))
	for _, b := range blocks {
		require.NoError(t, l.Append(b))
	}
	require.NoError(t, l.Close())
	copied := filepath.Join(t.TempDir(), "copy")
	snapshot(t, live, copied)
	return copied
}

func TestEveryPageOfTheIndexDamaged(t *testing.T) {
	c := newChain(1)
	c.add(60, 20)
	dir := filled(t, ledger.Options{}.WithFlush(20), c.blocks)
	raw, err := os.ReadFile(index(dir))
	require.NoError(t, err)
	copied := filepath.Join(fastDir(t), "ledger")
	for page := 0; page < len(raw); page += 4096 {
		for _, noise := range []byte{0x00, 0xff, 0x55} {
			snapshot(t, dir, copied)
			damaged := bytes.Clone(raw)
			for i := range 4096 {
				damaged[page+i] ^= noise
			}
			require.NoError(t, os.WriteFile(index(copied), damaged, 0o600))
			rightOrCorrupt(t, copied, c)
			l, err := ledger.Open(copied, ledger.Options{})
			require.NoError(t, err)
			requireBlocks(t, l, c.blocks)
			require.NoError(t, l.Close())
		}
	}
}

// rightOrCorrupt asks for every block: the answer is right, or ErrCorrupt, which takes the index away.
func rightOrCorrupt(t *testing.T, dir string, c *chain) {
	l, err := ledger.Open(dir, ledger.Options{})
	require.NoError(t, err)
	for n, b := range c.blocks {
		raw, err := l.Bytes(uint64(n))
		if err == nil {
			require.Equal(t, marshal(b), raw)
			_, err = l.NumberByTx(txID(n))
		}
		if err == nil {
			_, err = l.NumberByHash(block.HeaderHash(b.GetHeader()))
		}
		if err != nil {
			require.ErrorIs(t, err, ledger.ErrCorrupt)
			require.NoFileExists(t, index(dir))
		}
	}
	require.NoError(t, l.Close())
}

func TestFilesMissing(t *testing.T) {
	c := newChain(1)
	c.add(30, 40)
	o := ledger.Options{Channel: "ch", SegmentSize: 1000}
	for name, remove := range map[string]int{"first": 0, "middle": 1} {
		t.Run(name+" segment", func(t *testing.T) {
			dir := filled(t, o, c.blocks)
			require.NoError(t, os.Remove(segments(t, dir)[remove]))
			_, err := ledger.Open(dir, o)
			require.ErrorIs(t, err, ledger.ErrCorrupt)
			require.ErrorContains(t, err, "missing")
		})
	}
	t.Run("a segment while it is open", func(t *testing.T) {
		dir := filled(t, o, c.blocks)
		l := open(t, dir, o)
		require.NoError(t, os.Remove(segments(t, dir)[0]))
		_, err := l.Block(0)
		require.ErrorIs(t, err, ledger.ErrCorrupt)
		requireBlock(t, l, 29, c.blocks[29])
	})
	t.Run("identity", func(t *testing.T) {
		dir := filled(t, o, c.blocks)
		require.NoError(t, os.Remove(filepath.Join(dir, "ledger")))
		_, err := ledger.Open(dir, o)
		require.ErrorIs(t, err, ledger.ErrCorrupt)
	})
}

func TestIdentityDamaged(t *testing.T) {
	for name, content := range map[string]string{
		"empty":        "",
		"other format": "weft ledger 2\nchannel \"ch\"\nmark 0011223344556677\n",
		"channel":      "weft ledger 1\nchannel ch\nmark 0011223344556677\n",
		"mark":         "weft ledger 1\nchannel \"ch\"\nmark 00112233445566\n",
		"cut":          "weft ledger 1\nchannel \"ch\"\nmark 0011223344556677",
		"huge":         strings.Repeat("weft ledger 1\n", 10_000),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "ledger"), []byte(content), 0o600))
			_, err := ledger.Open(dir, ledger.Options{})
			require.ErrorIs(t, err, ledger.ErrCorrupt)
		})
	}
}

// A kill between making a segment file and writing to it.
func TestEmptyNewestSegment(t *testing.T) {
	c := newChain(1)
	c.add(4, 40)
	dir := filled(t, ledger.Options{}, c.blocks[:3])
	require.NoError(t, os.WriteFile(filepath.Join(dir, "00000000000000000003.blocks"), nil, 0o600))
	l := open(t, dir, ledger.Options{})
	require.NoError(t, l.Append(c.blocks[3]))
	requireBlocks(t, l, c.blocks)
	require.NoError(t, l.Close())
	requireBlocks(t, open(t, dir, ledger.Options{}), c.blocks)
}
