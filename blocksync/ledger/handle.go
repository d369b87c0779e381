// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"os"
	"sync"
)

// handle keeps the segment file that was read last open, because who reads a chain in order reads from one file for a while. One file
// descriptor is enough for any number of segments and readers: who wants another file opens it. Safe for concurrent use.
type handle struct {
	mu      sync.Mutex // guards all below; not held while reading
	file    *os.File
	segment uint64
	closed  bool
}

// readAt reads from a segment file in dir.
func (h *handle) readAt(dir string, segment uint64, p []byte, offset int64) (int, error) {
	h.mu.Lock()
	kept := h.file
	if h.segment != segment {
		kept = nil
	}
	h.mu.Unlock()
	if kept != nil {
		if n, err := kept.ReadAt(p, offset); !errors.Is(err, os.ErrClosed) {
			return n, err
		}
	}
	f, err := os.Open(segmentPath(dir, segment))
	if err != nil {
		return 0, err
	}
	n, err := f.ReadAt(p, offset)
	_ = h.keep(f, segment).Close() // it was only read
	return n, err
}

// keep keeps a file and returns the one that is to be closed. Reads under way go on.
func (h *handle) keep(f *os.File, segment uint64) *os.File {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return f
	}
	old := h.file
	h.file, h.segment = f, segment
	return old
}

// close closes the file that is kept; no other is kept afterwards.
func (h *handle) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.file == nil {
		return nil
	}
	return h.file.Close()
}
