// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/weft-p2p/weft/msp"
)

// Bounds of a store. The oldest are kept: the first evidence is what matters, and whoever makes more of it pushes none out.
const (
	MaxFindings = 64       // in all
	MaxByOrg    = 24       // against one organization
	MaxByOne    = 4        // against one identity, and with no culprit at all
	MaxBytes    = 64 << 20 // in all
)

// extension ends the name of a file with a proof.
const extension = ".evidence"

// Store keeps findings, each in a file of its own. Its methods are safe for concurrent use.
type Store struct {
	dir string // empty: in memory only
	log *slog.Logger

	mu    sync.Mutex // guards all below
	found []*Finding // oldest first
	files int        // besides those of found: files that were refused
	bytes int64
}

// OpenStore reads a folder and verifies every proof in it again. A file that does not prove itself is refused with a warning:
// it is not shown, and stays where it is. An empty dir keeps everything in memory. The error is one of reading the folder.
func OpenStore(dir string, verify func(*Proof) (*Finding, error), log *slog.Logger) (*Store, error) {
	s := &Store{dir: dir, log: log}
	if dir == "" {
		return s, nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), extension) {
			continue
		}
		s.load(filepath.Join(dir, e.Name()), verify)
	}
	slices.SortStableFunc(s.found, func(a, b *Finding) int { return a.Found.Compare(b.Found) })
	return s, nil
}

// load takes one file; what is above the bounds was not written by a store.
func (s *Store) load(path string, verify func(*Proof) (*Finding, error)) {
	f, size, err := loadFile(path, verify)
	if err == nil && (len(s.found) >= MaxFindings || s.has(f.ID)) {
		err = fmt.Errorf("%w: it is there already, or there are more than %d", ErrMalformed, MaxFindings)
	}
	s.bytes += size
	if err != nil {
		s.files++
		s.log.Warn("evidence refused; remove the file if it is not yours", "file", path, "err", err)
		return
	}
	s.found = append(s.found, f)
}

func loadFile(path string, verify func(*Proof) (*Finding, error)) (*Finding, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, MaxProof+1))
	if err != nil {
		return nil, 0, err
	}
	p, err := Decode(raw)
	if err != nil {
		return nil, int64(len(raw)), err
	}
	f, err := verify(p)
	return f, int64(len(raw)), err
}

// Add keeps a finding if it is new and there is room. An error is one of writing the file; the finding is then kept in memory.
func (s *Store) Add(f *Finding) (kept bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has(f.ID) || !s.room(f) {
		return false, nil
	}
	s.found = append(s.found, f)
	s.bytes += int64(len(f.Proof.Bytes()))
	if s.dir == "" {
		return true, nil
	}
	return true, write(s.dir, f.ID+extension, f.Proof.Bytes())
}

func (s *Store) has(id string) bool {
	return slices.ContainsFunc(s.found, func(f *Finding) bool { return f.ID == id })
}

func (s *Store) room(f *Finding) bool {
	if len(s.found)+s.files >= MaxFindings || s.bytes+int64(len(f.Proof.Bytes())) > MaxBytes {
		return false
	}
	if len(f.Culprits) == 0 {
		return s.against(func(other *Finding) bool { return len(other.Culprits) == 0 }) < MaxByOne
	}
	// One that is not counted out is enough: a fork may have culprits that are known already beside a new one.
	return slices.ContainsFunc(f.Culprits, func(id *msp.Identity) bool {
		one := func(other *Finding) bool {
			return slices.ContainsFunc(other.Culprits, func(c *msp.Identity) bool { return c.Key() == id.Key() })
		}
		org := func(other *Finding) bool {
			return slices.ContainsFunc(other.Culprits, func(c *msp.Identity) bool { return c.MSPID() == id.MSPID() })
		}
		return s.against(one) < MaxByOne && s.against(org) < MaxByOrg
	})
}

func (s *Store) against(match func(*Finding) bool) (n int) {
	for _, f := range s.found {
		if match(f) {
			n++
		}
	}
	return n
}

// All are the findings, oldest first.
func (s *Store) All() []*Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.found)
}

// write puts a file in place so that after a crash it is there as a whole or not at all.
func write(dir, name string, content []byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep evidence: %w", err)
	}
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("keep evidence: %w", err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keep evidence: %w", err), os.Remove(f.Name()))
	}
	folder, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("keep evidence: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}
