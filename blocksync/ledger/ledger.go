// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
)

const (
	lockName  = "lock"
	indexName = "index.db"

	// DefaultSegmentSize is where a segment file ends, in bytes: few enough files for a chain of terabytes, each small
	// enough to copy or check by itself.
	DefaultSegmentSize = 256 << 20

	// The tail goes to the index file when it has this many entries or covers this many bytes of blocks. The first
	// bounds memory (about 3 MiB) and the pause of the Append that does it (about 0.1 s, every 27 s at 100 blocks/s of
	// 10 transactions), the second the time to read the rest again after a kill (about a second).
	flushEntries = 32 << 10
	flushBytes   = 256 << 20
	// flushRetry is how many blocks a flush that could not be written is put off. The tail stays right meanwhile.
	flushRetry = 1024
)

// Options of a ledger. The zero value is usable.
type Options struct {
	SegmentSize int64        // bytes after which a new segment file starts; 0: DefaultSegmentSize
	Channel     string       // written into a new directory, compared in an old one; empty fits any
	Log         *slog.Logger // nil: nothing is logged

	flushEntries int // tests flush more often
	open         func(path string, flag int) (segmentFile, error)
}

func (o Options) withDefaults() Options {
	if o.SegmentSize <= 0 {
		o.SegmentSize = DefaultSegmentSize
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.flushEntries == 0 {
		o.flushEntries = flushEntries
	}
	if o.open == nil {
		o.open = openSegment
	}
	return o
}

// Ledger is the open block store of one channel. All methods may be called from several goroutines.
type Ledger struct {
	dir    string
	log    *slog.Logger
	mark   mark
	lock   *os.File
	index  *index
	flushN int

	reading handle

	appending sync.Mutex // one appender: guards writer, pending and retryAt; its holder alone changes tail and closed
	writer    writer
	pending   batch
	retryAt   uint64

	mu     sync.RWMutex // guards tail and closed; never held during I/O
	tail   *tail
	closed bool
}

// Open opens the ledger in dir, which it makes when it is missing, takes the directory for itself and repairs what a
// kill left behind: an unfinished last append is cut off, the index is brought up to date. Without a usable index it
// reads all segments once. Errors: ErrInUse, ErrOtherChannel, ErrCorrupt, ErrFull, or what the file system reports.
func Open(dir string, o Options) (*Ledger, error) {
	l, err := open(dir, o.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", dir, writeError(dir, err))
	}
	return l, nil
}

func open(dir string, o Options) (*Ledger, error) {
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	held, err := lock(dir)
	if err != nil {
		return nil, err
	}
	l := &Ledger{dir: dir, log: o.Log, lock: held, flushN: o.flushEntries, tail: newTail(0)}
	if err := l.recover(o); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return l, nil
}

func makeDir(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// Height is the number of the next block: how many blocks are stored.
func (l *Ledger) Height() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.tail.height()
}

// Append stores the blocks Height, Height+1, ... and returns when all of them are durable. On an error none of them is
// stored: ErrGap, ErrTooLarge, ErrFull, ErrClosed, or what the file system reports; it may be tried again. The blocks
// are only read, and not kept.
func (l *Ledger) Append(blocks ...*common.Block) error {
	l.appending.Lock()
	defer l.appending.Unlock()
	size, err := l.admit(blocks)
	if err != nil || len(blocks) == 0 {
		return err
	}
	if err := l.store(blocks, size); err != nil {
		return fmt.Errorf("append block %d to %s: %w", l.tail.height(), l.dir, writeError(l.dir, err))
	}
	l.publish()
	return nil
}

// admit checks a whole call before anything is written and returns the size of its frames.
func (l *Ledger) admit(blocks []*common.Block) (size int64, err error) {
	if l.closed {
		return 0, ErrClosed
	}
	for i, b := range blocks {
		want := l.tail.height() + uint64(i)
		if b.GetHeader() == nil {
			return 0, fmt.Errorf("%w: want block %d, got one without a header", ErrGap, want)
		}
		if got := b.GetHeader().GetNumber(); got != want {
			return 0, fmt.Errorf("%w: want block %d, got %d", ErrGap, want, got)
		}
		n := proto.Size(b)
		if n > MaxBlock {
			return 0, fmt.Errorf("%w: block %d has %d bytes, limit %d", ErrTooLarge, want, n, MaxBlock)
		}
		size += headerSize + int64(n)
	}
	return size, nil
}

// store writes the blocks and makes them durable, or takes back what it wrote.
func (l *Ledger) store(blocks []*common.Block, size int64) error {
	if err := l.writer.prepare(l.tail.height(), size); err != nil {
		return err
	}
	l.pending.reset()
	err := l.write(blocks)
	if err != nil {
		// When this cannot be done now, the next prepare does it or reports why not.
		_ = l.writer.rollback()
	}
	return err
}

func (l *Ledger) write(blocks []*common.Block) error {
	for i, b := range blocks {
		loc, err := l.writer.write(b, i)
		if err != nil {
			return err
		}
		l.pending.add(loc, b)
	}
	return l.writer.commit()
}

// publish shows the pending blocks to readers and flushes the tail when it has grown enough. A flush that fails loses
// nothing, so the blocks are stored all the same.
func (l *Ledger) publish() {
	l.mu.Lock()
	l.tail.add(&l.pending)
	l.mu.Unlock()
	if l.tail.height() < l.retryAt || (l.tail.size() < l.flushN && l.tail.bytes < flushBytes) {
		return
	}
	if err := l.flush(); err != nil {
		l.retryAt = l.tail.height() + flushRetry
		l.log.Warn("Index not written, kept in memory for now", "file", l.index.path, "err", err)
	}
}

// flush moves the tail into the index file.
func (l *Ledger) flush() error {
	if len(l.tail.entries) == 0 {
		return nil
	}
	if err := l.index.put(l.tail); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = newTail(l.tail.height())
	return nil
}

// Close writes the rest of the index and frees the directory. It waits for an Append and for lookups under way; calls
// that come later get ErrClosed. A second Close does nothing.
func (l *Ledger) Close() error {
	l.appending.Lock()
	defer l.appending.Unlock()
	if l.closed {
		return nil
	}
	if err := l.flush(); err != nil {
		l.log.Warn("Index not written, the next open reads the last blocks again", "file", l.index.path, "err", err)
	}
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	if err := l.release(); err != nil {
		return fmt.Errorf("close ledger %s: %w", l.dir, err)
	}
	return nil
}

// release closes every file, the lock last.
func (l *Ledger) release() error {
	var err error
	if l.index != nil {
		err = l.index.close()
	}
	return errors.Join(err, l.writer.close(), l.reading.close(), l.lock.Close())
}
