// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
)

// Block returns block n, decoded. Errors: ErrNotFound, ErrCorrupt, ErrClosed, or what the file system reports.
func (l *Ledger) Block(n uint64) (*common.Block, error) {
	raw, err := l.Bytes(n)
	if err != nil {
		return nil, err
	}
	b := &common.Block{}
	if err := proto.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("%w: block %d in %s: %w", ErrCorrupt, n, l.dir, err)
	}
	return b, nil
}

// Bytes returns block n as it was marshalled (a common.Block), for passing it on without decoding it. The caller owns
// the slice. Errors as for Block.
func (l *Ledger) Bytes(n uint64) ([]byte, error) { return l.Read(n, nil) }

// Read is Bytes for who reads many blocks: the slice that it returns lies in buf, from its start on, if buf has room for a block and 24
// bytes more.
func (l *Ledger) Read(n uint64, buf []byte) ([]byte, error) {
	e, err := l.entry(n)
	if err != nil {
		return nil, err
	}
	return l.read(n, e.location, buf)
}

// Size returns the length of Bytes(n) without reading the block. Errors as for Block.
func (l *Ledger) Size(n uint64) (int, error) {
	e, err := l.entry(n)
	return int(e.length), err
}

// HeaderHash returns the SHA-256 of block n's header without reading the block. Errors as for Block.
func (l *Ledger) HeaderHash(n uint64) ([]byte, error) {
	e, err := l.entry(n)
	if err != nil {
		return nil, err
	}
	return e.hash[:], nil
}

// NumberByHash returns the number of the block with this header hash. Errors as for Block.
func (l *Ledger) NumberByHash(headerHash []byte) (uint64, error) {
	if len(headerHash) != len(sum{}) {
		return 0, fmt.Errorf("%w: a header hash has %d bytes, not %d", ErrNotFound, len(sum{}), len(headerHash))
	}
	n, found, err := l.lookup(hashesBucket, sum(headerHash))
	if err == nil && !found {
		err = fmt.Errorf("%w: header hash %x", ErrNotFound, headerHash)
	}
	return n, err
}

// NumberByTx returns the number of the first block that holds a transaction with this ID, be it valid or not. Errors as
// for Block.
func (l *Ledger) NumberByTx(txID string) (uint64, error) {
	n, found, err := l.lookup(txsBucket, txKey([]byte(txID)))
	if err == nil && !found {
		err = fmt.Errorf("%w: transaction %.80q", ErrNotFound, txID)
	}
	return n, err
}

// entry finds block n in the tail or in the index file.
func (l *Ledger) entry(n uint64) (entry, error) {
	l.mu.RLock()
	t, height, closed := l.tail, l.tail.height(), l.closed
	var e entry
	if n >= t.first && n < height {
		e = t.entries[n-t.first]
	}
	l.mu.RUnlock()
	switch {
	case closed:
		return entry{}, ErrClosed
	case n >= height:
		return entry{}, fmt.Errorf("%w: block %d, height is %d", ErrNotFound, n, height)
	case n >= t.first:
		return e, nil
	}
	return l.index.entry(n)
}

// lookup asks the index file first, because the first block with a transaction counts. The tail is taken before: a
// flush in between leaves it as it was, so that no entry is missed on its way into the file.
func (l *Ledger) lookup(bucket string, s sum) (uint64, bool, error) {
	l.mu.RLock()
	t, closed := l.tail, l.closed
	l.mu.RUnlock()
	if closed {
		return 0, false, ErrClosed
	}
	if n, found, err := l.index.find(bucket, s); err != nil || found {
		return n, found, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	numbers := t.txs
	if bucket == hashesBucket {
		numbers = t.hashes
	}
	n, found := numbers[s]
	return n, found, nil
}

// read returns the block at a location after checking its frame, in buf if that has room.
func (l *Ledger) read(n uint64, loc location, buf []byte) ([]byte, error) {
	size := headerSize + int(loc.length)
	frame := slices.Grow(buf[:0], size)[:size]
	_, err := l.reading.readAt(l.dir, loc.segment, frame, loc.offset)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, corrupt(segmentPath(l.dir, loc.segment), loc.offset, "the segment file is missing")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	h, ok := l.mark.header(frame)
	if err != nil || !ok || h.number != n || h.length != loc.length || h.crc != checksum(frame) {
		return nil, corrupt(segmentPath(l.dir, loc.segment), loc.offset, fmt.Sprintf("block %d is damaged", n))
	}
	return frame[headerSize:], nil
}
