// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// recover brings the ledger to the state that the segment files are in.
func (l *Ledger) recover(o Options) error {
	segments, err := listSegments(l.dir)
	if err != nil {
		return err
	}
	if len(segments) > 0 && segments[0] != 0 {
		return corrupt(segmentPath(l.dir, 0), 0, "the first segment file is missing")
	}
	id, err := openIdentity(l.dir, o.Channel, len(segments) == 0)
	if err != nil {
		return err
	}
	l.mark = id.mark
	l.writer = writer{dir: l.dir, frame: frameWriter{mark: id.mark}, limit: o.SegmentSize, open: o.open}
	claimed, err := l.openIndex(segments)
	if err != nil {
		return err
	}
	if err := l.rollForward(segments); err != nil {
		return err
	}
	if l.tail.height() < claimed {
		l.log.Warn("Blocks that the index knew are gone", "height", l.tail.height(), "was", claimed)
	}
	if len(segments) == 0 {
		return nil
	}
	return l.reopenSegment(segments[len(segments)-1])
}

// openIndex opens the index and sets the tail behind it. An index that does not fit the segments is dropped; claimed is
// the height that it knew.
func (l *Ledger) openIndex(segments []uint64) (claimed uint64, err error) {
	path := filepath.Join(l.dir, indexName)
	x, err := openIndex(path, l.mark)
	if err == nil {
		claimed, err = l.indexed(x, segments)
		if err == nil {
			l.index, l.tail = x, newTail(claimed)
			return claimed, nil
		}
		err = errors.Join(err, x.close())
	}
	if !errors.Is(err, errDamaged) && !errors.Is(err, ErrCorrupt) {
		return 0, err
	}
	l.log.Info("Index dropped, reading all blocks to make it again", "file", path, "reason", err)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	l.index, err = openIndex(path, l.mark)
	return claimed, err
}

// indexed returns how many blocks the index covers, and an error when it does not fit: its last block must be where it
// says, and every older segment must end with the block before the next segment.
func (l *Ledger) indexed(x *index, segments []uint64) (height uint64, err error) {
	n, e, found, err := x.last()
	if err != nil || !found {
		return 0, err
	}
	blocks, err := l.read(n, n, e.location, nil)
	if err != nil {
		return n + 1, err
	}
	var p batch
	if err := p.decode(e.location, n, blocks[0]); err != nil || p.entries[0] != e {
		return n + 1, fmt.Errorf("%w: block %d differs", errDamaged, n)
	}
	for i := 1; i < len(segments) && segments[i] <= n+1; i++ {
		if err := l.sealed(x, segments[i-1], segments[i]); err != nil {
			return n + 1, err
		}
	}
	return n + 1, nil
}

// sealed checks that a segment ends with the block before next.
func (l *Ledger) sealed(x *index, segment, next uint64) error {
	e, err := x.entry(next - 1)
	if err != nil {
		return err
	}
	path := segmentPath(l.dir, segment)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if e.segment != segment || e.end() != info.Size() {
		return fmt.Errorf("%w: %s does not end with block %d", errDamaged, path, next-1)
	}
	return nil
}

// rollForward reads the blocks behind the index.
func (l *Ledger) rollForward(segments []uint64) error {
	from := l.tail.height()
	start, offset, err := l.resume(segments)
	if err != nil {
		return err
	}
	for i := start; i < len(segments); i++ {
		path := segmentPath(l.dir, segments[i])
		if segments[i] != l.tail.height() && i != start {
			return corrupt(path, 0, fmt.Sprintf("expected a segment that starts with block %d: blocks are missing", l.tail.height()))
		}
		if err := l.readSegment(path, segments[i], offset, i == len(segments)-1); err != nil {
			return err
		}
		offset = 0
	}
	if l.tail.height() > from {
		l.log.Info("Index rolled forward", "from", from, "height", l.tail.height())
	}
	return nil
}

// resume returns the segment, by its place in the list, and the offset where the index ends.
func (l *Ledger) resume(segments []uint64) (int, int64, error) {
	if l.tail.height() == 0 {
		return 0, 0, nil
	}
	e, err := l.index.entry(l.tail.height() - 1)
	if err != nil {
		return 0, 0, err
	}
	for i, first := range segments {
		if first == e.segment {
			return i, e.end(), nil
		}
	}
	return 0, 0, corrupt(segmentPath(l.dir, e.segment), e.offset, "the segment file is missing")
}

// reopenSegment continues the newest segment. What a killed process wrote without syncing counts from now on, so it
// is synced first.
func (l *Ledger) reopenSegment(first uint64) error {
	f, err := l.writer.open(segmentPath(l.dir, first), 0)
	if err != nil {
		return err
	}
	info, err := os.Stat(segmentPath(l.dir, first))
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.writer.file, l.writer.first, l.writer.end, l.writer.at = f, first, info.Size(), info.Size()
	return nil
}
