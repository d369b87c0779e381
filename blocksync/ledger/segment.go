// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

const segmentSuffix = ".blocks"

// segmentPath is the file whose first block has the given number.
func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, segmentSuffix))
}

// listSegments returns the first block numbers of the segment files in dir, ascending.
func listSegments(dir string) ([]uint64, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var firsts []uint64
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), segmentSuffix)
		first, err := strconv.ParseUint(name, 10, 64)
		if ok && err == nil && len(name) == 20 {
			firsts = append(firsts, first)
		}
	}
	slices.Sort(firsts)
	return firsts, nil
}

// segmentFile is what the writer does with the segment file that grows.
type segmentFile interface {
	WriteAt(p []byte, offset int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

type diskFile struct{ *os.File }

func (f diskFile) Sync() error { return dataSync(f.File) }

func openSegment(path string, flag int) (segmentFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

// writer appends frames to the newest segment. It belongs to the appender.
type writer struct {
	dir   string
	limit int64
	open  func(path string, flag int) (segmentFile, error)

	file  segmentFile
	first uint64 // number of the segment's first block
	end   int64  // everything before is durable
	at    int64  // where the next frame goes
	full  bool   // the next segment is due: an attempt that failed may have left its file behind
	torn  bool   // bytes behind end could not be taken back
	frame frameWriter
}

// prepare makes the file end where the durable frames end, and starts the next segment when size more bytes would
// not fit. A call's frames stay in one segment, so that one sync covers them.
func (w *writer) prepare(next uint64, size int64) error {
	if w.torn {
		if err := w.rollback(); err != nil {
			return fmt.Errorf("take back an unfinished append: %w", err)
		}
	}
	w.full = w.full || w.file == nil || (w.end > 0 && w.end+size > w.limit)
	if !w.full {
		return nil
	}
	return w.roll(next)
}

// roll starts the segment of block next. What O_TRUNC can meet is an empty file that an earlier roll left behind.
func (w *writer) roll(next uint64) error {
	f, err := w.open(segmentPath(w.dir, next), os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if err := syncDir(w.dir); err != nil {
		return errors.Join(err, f.Close())
	}
	// Nothing of the old segment is waiting to be written, so its close cannot lose anything.
	_ = w.close()
	w.file, w.first, w.end, w.at, w.full = f, next, 0, 0, false
	return nil
}

// write puts one block behind what was written, without making it durable.
func (w *writer) write(b *common.Block, position int) (location, error) {
	length, err := w.frame.write(w.file, w.at, b, position)
	if err != nil {
		return location{}, err
	}
	loc := location{segment: w.first, offset: w.at, length: length}
	w.at = loc.end()
	return loc, nil
}

// commit makes what was written durable.
func (w *writer) commit() error {
	if err := w.file.Sync(); err != nil {
		return err
	}
	w.end = w.at
	return nil
}

// rollback takes back what was written since the last commit. After a failed sync the kernel may call pages clean that
// never reached the disk; cutting them off and writing them anew is what makes a later commit mean something.
func (w *writer) rollback() error {
	w.at = w.end
	err := w.file.Truncate(w.end)
	w.torn = err != nil
	return err
}

func (w *writer) close() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}
