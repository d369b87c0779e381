// SPDX-License-Identifier: Apache-2.0

package ledger_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync/ledger"
)

// disk is the disk below the segment files, with a fixed amount of space and calls that can be made to fail.
type disk struct {
	space       int64 // bytes that can still be written
	syncError   error
	cutError    error
	written     int64
	syncs, cuts int
}

type diskFile struct {
	ledger.SegmentFile
	disk *disk
}

func (d *disk) wrap(f ledger.SegmentFile) ledger.SegmentFile { return diskFile{f, d} }

func (f diskFile) WriteAt(p []byte, offset int64) (int, error) {
	room := min(int64(len(p)), f.disk.space)
	n, err := f.SegmentFile.WriteAt(p[:room], offset)
	f.disk.space -= int64(n)
	f.disk.written += int64(n)
	if err == nil && n < len(p) {
		err = syscall.ENOSPC
	}
	return n, err
}

func (f diskFile) Sync() error {
	f.disk.syncs++
	if f.disk.syncError != nil {
		return f.disk.syncError
	}
	return f.SegmentFile.Sync()
}

func (f diskFile) Truncate(size int64) error {
	f.disk.cuts++
	if f.disk.cutError != nil {
		return f.disk.cutError
	}
	return f.SegmentFile.Truncate(size)
}

// The disk is full after every possible number of bytes: the call is refused whole, a kill would find a right ledger,
// and once there is space the same call goes through.
func TestDiskFull(t *testing.T) {
	c := newChain(1)
	c.add(5, 60)
	need := sizeOf(c.blocks[2:])
	for space := int64(0); space < need; space += 7 {
		d := &disk{space: 1 << 20}
		o := ledger.Options{}.WithOpen(d.wrap)
		dir := filepath.Join(fastDir(t), "ledger")
		l := open(t, dir, o)
		require.NoError(t, l.Append(c.blocks[:2]...))

		d.space = space
		err := l.Append(c.blocks[2:]...)
		require.ErrorIs(t, err, ledger.ErrFull)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorContains(t, err, "free space for "+dir)
		requireBlocks(t, l, c.blocks[:2])
		require.Equal(t, sizeOf(c.blocks[:2]), fileSize(segments(t, dir)[0]), "what did not fit gives its space back")

		d.space = 1 << 20
		require.NoError(t, l.Append(c.blocks[2:]...))
		requireBlocks(t, l, c.blocks)
		require.NoError(t, l.Close())
		requireBlocks(t, open(t, dir, ledger.Options{}), c.blocks)
	}
}

// A disk that does not even let the rest be cut off: nothing is appended behind it, and an open repairs it.
func TestRestCannotBeCutOff(t *testing.T) {
	c := newChain(1)
	c.add(4, 60)
	d := &disk{space: 1 << 20}
	dir := filepath.Join(fastDir(t), "ledger")
	l := open(t, dir, ledger.Options{}.WithOpen(d.wrap))
	require.NoError(t, l.Append(c.blocks[:2]...))

	d.space, d.cutError = 50, syscall.EIO
	require.ErrorIs(t, l.Append(c.blocks[2]), ledger.ErrFull)
	d.space = 1 << 20
	require.ErrorIs(t, l.Append(c.blocks[2]), syscall.EIO)
	requireBlocks(t, l, c.blocks[:2])

	killed := filepath.Join(t.TempDir(), "killed")
	snapshot(t, dir, killed)
	requireBlocks(t, open(t, killed, ledger.Options{}), c.blocks[:2])

	d.cutError = nil
	require.NoError(t, l.Append(c.blocks[2:]...))
	requireBlocks(t, l, c.blocks)
}

// After a failed sync nobody knows what is on disk: the frames are written again before they count.
func TestSyncFails(t *testing.T) {
	c := newChain(1)
	c.add(4, 60)
	d := &disk{space: 1 << 20}
	l := open(t, t.TempDir(), ledger.Options{}.WithOpen(d.wrap))
	require.NoError(t, l.Append(c.blocks[:2]...))
	d.syncError = syscall.EIO
	require.ErrorIs(t, l.Append(c.blocks[2:]...), syscall.EIO)
	requireBlocks(t, l, c.blocks[:2])

	d.syncError, d.written = nil, 0
	require.NoError(t, l.Append(c.blocks[2:]...))
	require.Equal(t, sizeOf(c.blocks[2:]), d.written)
	requireBlocks(t, l, c.blocks)
}

// Each byte is written once and a call is synced once, however many blocks it has.
func TestOneWriteOneSync(t *testing.T) {
	c := newChain(1)
	d := &disk{space: 1 << 30}
	l := open(t, t.TempDir(), ledger.Options{SegmentSize: 10_000}.WithOpen(d.wrap))
	for i := range 20 {
		require.NoError(t, l.Append(c.add(1+i%8, 700)...))
	}
	require.Equal(t, 20, d.syncs)
	require.Equal(t, sizeOf(c.blocks), d.written)
	require.Zero(t, d.cuts)
}

// A steady ledger does not touch the index file: 100 blocks of 10 transactions a second fill the tail in half a minute.
func TestIndexIsWrittenSeldom(t *testing.T) {
	c := newChain(1)
	dir := t.TempDir()
	l := open(t, dir, ledger.Options{})
	size := fileSize(filepath.Join(dir, "index.db"))
	for range 500 {
		require.NoError(t, l.Append(c.block(100, txID(len(c.blocks)), "b", "c", "d")))
	}
	require.Zero(t, l.Indexed())
	require.Equal(t, size, fileSize(filepath.Join(dir, "index.db")))
}

// A segment file that could be made but not announced is taken up again by the next call, whatever its size.
func TestRollFails(t *testing.T) {
	c := newChain(1)
	dir := t.TempDir()
	o := ledger.Options{SegmentSize: 500}
	d := &disk{space: 1 << 20}
	l := open(t, dir, o.WithOpen(d.wrap))
	require.NoError(t, l.Append(c.add(2, 60)...))
	d.space = 0
	large := c.add(1, 5000)
	require.ErrorIs(t, l.Append(large...), ledger.ErrFull)
	require.Len(t, segments(t, dir), 2, "the next segment was made")
	c.blocks = c.blocks[:2]
	d.space = 1 << 20
	require.NoError(t, l.Append(c.add(1, 5)...))
	requireBlocks(t, l, c.blocks)
	require.NoError(t, l.Close())
	requireBlocks(t, open(t, dir, o), c.blocks)
}
