// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// NextIncarnation returns the incarnation that follows last: nanoseconds since
// 1970, or last+1 when the clock is not past it.
func NextIncarnation(last uint64, now time.Time) uint64 {
	return max(uint64(max(now.UnixNano(), 0)), last+1)
}

// Incarnations hands out the incarnations of one's own records and keeps the
// last one in a file, so that they grow across restarts and clocks set back. A
// file that was lost does no lasting harm: peers answer with the highest
// incarnation that they have seen, Seen raises the floor, and the next one is
// higher. Safe for concurrent use.
type Incarnations struct {
	path string
	mu   sync.Mutex
	last uint64 // guarded by mu
}

// OpenIncarnations reads the file at path; there need not be one yet, its
// directory must exist. One process at a time may use a file.
func OpenIncarnations(path string) (*Incarnations, error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Incarnations{path: path}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read incarnation: %w", err)
	}
	last, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 63)
	if err != nil {
		return nil, fmt.Errorf("read incarnation: %s does not hold a number: delete it, peers know the last one", path)
	}
	return &Incarnations{path: path, last: last}, nil
}

// Next returns a new incarnation, which is on disk before it returns.
func (i *Incarnations) Next(now time.Time) (uint64, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	next := NextIncarnation(i.last, now)
	if next > math.MaxInt64 {
		return 0, fmt.Errorf("%s: no incarnation is left after %d: delete it and renew the certificate with a new key", i.path, i.last)
	}
	if err := replaceFile(i.path, strconv.FormatUint(next, 10)+"\n"); err != nil {
		return 0, fmt.Errorf("write incarnation: %w", err)
	}
	i.last = next
	return next, nil
}

// Seen takes note of an incarnation in a verified record of one's own identity,
// and reports whether it is higher than all known: then a new record is due.
func (i *Incarnations) Seen(incarnation uint64) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	higher := incarnation > i.last
	i.last = max(i.last, incarnation)
	return higher
}

// replaceFile writes a file so that after a crash it holds the old or the new
// content.
func replaceFile(path, content string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(content)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
