// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
)

// searchChunk is how much is read at a time when looking for frames behind a damaged one.
const searchChunk = 1 << 20

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
	var buf []byte
	for {
		var found bool
		var err error
		if offset, found, err = l.mark.search(f, offset); err != nil || !found {
			return false, err
		}
		h, frame, ok, err := l.mark.readFrame(f, offset, size, buf)
		if err != nil {
			return false, err
		}
		if ok && h.number > number && uint64(h.position) < h.number-number {
			return true, nil
		}
		buf, offset = frame, offset+1
		if ok {
			offset += int64(h.length)
		}
	}
}

// search returns the first place at or after an offset where the mark stands.
func (m mark) search(f io.ReaderAt, offset int64) (int64, bool, error) {
	chunk := make([]byte, searchChunk)
	for {
		n, err := f.ReadAt(chunk, offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, false, err
		}
		if at := bytes.Index(chunk[:n], m[:]); at >= 0 {
			return offset + int64(at), true, nil
		}
		if n < len(chunk) {
			return 0, false, nil
		}
		offset += int64(n - len(m) + 1)
	}
}
