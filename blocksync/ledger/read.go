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
func (l *Ledger) Bytes(n uint64) ([]byte, error) {
	blocks, err := l.Read(n, n, nil)
	if err != nil {
		return nil, err
	}
	return blocks[0], nil
}

// Read is Bytes for who reads many blocks: it returns block first, and of those behind it, up to last, as many as one read of the disk
// brings into buf, which needs 28 bytes more for each. The first block has memory of its own if buf has no room for it. Errors as for
// Block, of the first one; damage of another one ends what is returned.
func (l *Ledger) Read(first, last uint64, buf []byte) ([][]byte, error) {
	e, err := l.entry(first)
	if err != nil {
		return nil, err
	}
	return l.read(first, max(first, min(last, l.Height()-1)), e.location, buf)
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

// read returns the block at a location, after checking its frame, and those up to last behind it: as many as fit in buf if they are as big.
func (l *Ledger) read(n, last uint64, loc location, buf []byte) ([][]byte, error) {
	frame := headerSize + int(loc.length)
	count := int(min(uint64(max(1, cap(buf)/frame)), last-n+1))
	raw := slices.Grow(buf[:0], count*frame)[:count*frame]
	got, err := l.reading.readAt(l.dir, loc.segment, raw, loc.offset)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, corrupt(segmentPath(l.dir, loc.segment), loc.offset, "the segment file is missing")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	blocks := l.frames(n, last, raw[:got], count)
	if len(blocks) == 0 || len(blocks[0]) != int(loc.length) {
		return nil, corrupt(segmentPath(l.dir, loc.segment), loc.offset, fmt.Sprintf("block %d is damaged", n))
	}
	return blocks, nil
}

// frames returns the blocks n, n+1, ... up to last whose frames are whole and intact in raw, one behind the other.
func (l *Ledger) frames(n, last uint64, raw []byte, count int) [][]byte {
	blocks := make([][]byte, 0, count)
	for ; n <= last; n++ {
		h, ok := l.mark.header(raw)
		end := headerSize + int(h.length)
		if !ok || h.number != n || end > len(raw) || h.crc != checksum(raw[:end]) {
			break
		}
		blocks = append(blocks, raw[headerSize:end])
		raw = raw[end:]
	}
	return blocks
}
