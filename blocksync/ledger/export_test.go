// SPDX-License-Identifier: Apache-2.0

package ledger

// SegmentFile is the seam through which tests make a disk fail.
// WriteBuffer is what small parts of a frame are put together in.
const WriteBuffer = writeBuffer

type SegmentFile = segmentFile

// HeaderSize of a frame, for tests that place damage.
const HeaderSize = headerSize

// WithOpen returns options whose segment files are opened by wrap over the real ones.
func (o Options) WithOpen(wrap func(SegmentFile) SegmentFile) Options {
	o.open = func(path string, flag int) (segmentFile, error) {
		f, err := openSegment(path, flag)
		if err != nil {
			return nil, err
		}
		return wrap(f), nil
	}
	return o
}

// WithFlush returns options that flush the tail at so many entries.
func (o Options) WithFlush(entries int) Options {
	o.flushEntries = entries
	return o
}

// Indexed is how many blocks are in the index file and not only in memory.
func (l *Ledger) Indexed() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.tail.first
}
