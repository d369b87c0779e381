// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
)

// searchChunk is how much is read at a time when looking for frames behind a damaged one.
const searchChunk = 1 << 20

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
	l.writer = writer{dir: l.dir, mark: id.mark, limit: o.SegmentSize, open: o.open}
	if err := l.openIndex(segments); err != nil {
		return err
	}
	if err := l.rollForward(segments); err != nil {
		return err
	}
	if len(segments) == 0 {
		return nil
	}
	return l.reopenSegment(segments[len(segments)-1])
}

// openIndex opens the index and sets the tail behind it. An index that does not fit the segments is dropped.
func (l *Ledger) openIndex(segments []uint64) error {
	path := filepath.Join(l.dir, indexName)
	x, err := openIndex(path, l.mark)
	if err == nil {
		height, misfit := l.indexed(x, segments)
		if misfit == nil {
			l.index, l.tail = x, newTail(height)
			return nil
		}
		err = errors.Join(misfit, x.close())
	}
	if !errors.Is(err, errDamaged) && !errors.Is(err, ErrCorrupt) {
		return err
	}
	l.log.Info("Index dropped, reading all blocks to make it again", "file", path, "reason", err)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l.index, err = openIndex(path, l.mark)
	return err
}

// indexed returns how many blocks the index covers, or why it does not fit: its last block must be where it says, and
// every older segment must end with the block before the next segment.
func (l *Ledger) indexed(x *index, segments []uint64) (uint64, error) {
	n, e, found, err := x.last()
	if err != nil || !found {
		return 0, err
	}
	raw, err := l.read(n, e.location)
	if err != nil {
		return 0, err
	}
	var p batch
	if err := p.decode(e.location, n, raw); err != nil || p.entries[0] != e {
		return 0, fmt.Errorf("%w: block %d differs", errDamaged, n)
	}
	for i := 1; i < len(segments) && segments[i] <= n+1; i++ {
		if err := l.sealed(x, segments[i-1], segments[i]); err != nil {
			return 0, err
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

// readSegment adds the blocks of a segment, from an offset on, to the tail. In the newest one an unfinished append is
// cut off.
func (l *Ledger) readSegment(path string, first uint64, offset int64, newest bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var buf []byte
	for offset < info.Size() {
		h, frame, ok, err := l.mark.readFrame(f, offset, info.Size(), buf)
		buf = frame
		if err != nil {
			return err
		}
		if !ok {
			return l.damaged(f, offset, info.Size(), newest)
		}
		loc := location{segment: first, offset: offset, length: h.length}
		if err := l.adopt(loc, h.number, frame[headerSize:]); err != nil {
			return corrupt(path, offset, err.Error())
		}
		offset = loc.end()
	}
	return nil
}

// adopt adds a block that was found to the tail.
func (l *Ledger) adopt(loc location, number uint64, raw []byte) error {
	if number != l.tail.height() {
		return fmt.Errorf("expected block %d, found %d", l.tail.height(), number)
	}
	l.pending.reset()
	if err := l.pending.decode(loc, number, raw); err != nil {
		return err
	}
	l.publish()
	return nil
}

// decode notes a marshalled block.
func (p *batch) decode(loc location, number uint64, raw []byte) error {
	b := &common.Block{}
	if err := proto.Unmarshal(raw, b); err != nil {
		return fmt.Errorf("block %d: %w", number, err)
	}
	if got := b.GetHeader().GetNumber(); b.GetHeader() == nil || got != number {
		return fmt.Errorf("block %d has the header of block %d", number, got)
	}
	p.add(loc, b)
	return nil
}

// damaged decides about a place where no intact frame is: the end of an append that was not finished is cut off, what
// had once been durable is ErrCorrupt.
func (l *Ledger) damaged(f *os.File, offset, size int64, newest bool) error {
	number := l.tail.height()
	if !newest {
		return corrupt(f.Name(), offset, fmt.Sprintf("block %d is damaged", number))
	}
	durable, err := l.durableAfter(f, offset+1, size, number)
	if err != nil {
		return err
	}
	if durable {
		return corrupt(f.Name(), offset, fmt.Sprintf("block %d is damaged, later blocks are not", number))
	}
	l.log.Warn("Unfinished append cut off", "file", f.Name(), "offset", offset, "bytes", size-offset, "height", number)
	return os.Truncate(f.Name(), offset)
}

// durableAfter searches for an intact frame that was written after block number had become durable. Frames of the same
// append prove nothing: a power cut may leave them on disk in any order.
func (l *Ledger) durableAfter(f *os.File, offset, size int64, number uint64) (bool, error) {
	chunk := make([]byte, min(searchChunk, max(size-offset, 0)))
	var buf []byte
	for len(chunk) >= headerSize {
		n, err := f.ReadAt(chunk, offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		at := bytes.Index(chunk[:n], l.mark[:])
		if at < 0 && n < len(chunk) || n < headerSize {
			return false, nil
		}
		if at < 0 {
			offset += int64(n - len(l.mark) + 1)
			continue
		}
		offset += int64(at)
		h, frame, ok, err := l.mark.readFrame(f, offset, size, buf)
		if err != nil {
			return false, err
		}
		if ok && h.number > number && uint64(h.position) < h.number-number {
			return true, nil
		}
		buf, offset = frame, offset+1
	}
	return false, nil
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
