// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Buckets of the index file.
const (
	metaBucket   = "meta"         // markKey -> format and mark of the ledger it was made for
	blocksBucket = "blocks"       // number -> entry
	hashesBucket = "hashes"       // run, header hash -> number
	txsBucket    = "transactions" // run, SHA-256 of the transaction ID -> number

	markKey     = "mark"
	indexFormat = "weft index 1 "
	runSize     = 8
)

// index is the index file. Every put makes a run of its own, keyed by its first block number, so that hashes, which fall
// anywhere, are written in order to the end of the tree and not into a page of their own each; a search asks run by run.
type index struct {
	db   *bbolt.DB
	path string
}

// openIndex opens or makes the index file of the ledger with a mark. errDamaged means: drop it.
func openIndex(path string, m mark) (*index, error) {
	x := &index{path: path}
	var file *os.File
	err := guard(func() (err error) {
		x.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:      time.Second,
			NoStatistics: true,
			OpenFile: func(name string, flag int, perm os.FileMode) (_ *os.File, err error) {
				file, err = os.OpenFile(name, flag, perm)
				return file, err
			},
		})
		return err
	})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("%w: another process holds %s", ErrInUse, path)
	}
	if file == nil || errors.Is(err, syscall.ENOSPC) {
		return nil, err
	}
	if err != nil {
		_ = file.Close() // bbolt leaves it open when it meets damage
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err := x.check(file, m); err != nil {
		return nil, errors.Join(err, x.close())
	}
	return x, nil
}

// check sees whether the file is complete and was made for this ledger; a new file is laid out.
func (x *index) check(file *os.File, m mark) error {
	want := append([]byte(indexFormat), m[:]...)
	var fresh bool
	err := x.view(func(tx *bbolt.Tx) error {
		info, err := file.Stat()
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return fmt.Errorf("%w: %d bytes, want %d", errDamaged, info.Size(), tx.Size())
		}
		meta := tx.Bucket([]byte(metaBucket))
		if fresh = meta == nil; !fresh && !bytes.Equal(meta.Get([]byte(markKey)), want) {
			return fmt.Errorf("%w: made for another ledger or by another version", errDamaged)
		}
		return nil
	})
	if err != nil || !fresh {
		return err
	}
	return x.update(func(tx *bbolt.Tx) error {
		for _, name := range []string{metaBucket, blocksBucket, hashesBucket, txsBucket} {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		return tx.Bucket([]byte(metaBucket)).Put([]byte(markKey), want)
	})
}

// put adds a tail in one durable transaction: bbolt's order of syncs keeps the file whole across a power cut, and a
// put comes so seldom that it costs nothing.
func (x *index) put(t *tail) error {
	return x.update(func(tx *bbolt.Tx) error {
		if err := putEntries(tx.Bucket([]byte(blocksBucket)), t); err != nil {
			return err
		}
		if err := putRun(tx.Bucket([]byte(hashesBucket)), t.first, t.hashes); err != nil {
			return err
		}
		return putRun(tx.Bucket([]byte(txsBucket)), t.first, t.txs)
	})
}

func putEntries(b *bbolt.Bucket, t *tail) error {
	b.FillPercent = 1 // keys ascend, no page is filled later
	for i, e := range t.entries {
		n := t.first + uint64(i)
		if err := b.Put(binary.BigEndian.AppendUint64(nil, n), e.marshal(n)); err != nil {
			return err
		}
	}
	return nil
}

func putRun(b *bbolt.Bucket, run uint64, numbers map[sum]uint64) error {
	b.FillPercent = 1
	key := binary.BigEndian.AppendUint64(make([]byte, 0, runSize+len(sum{})), run)
	compare := func(a, b sum) int { return bytes.Compare(a[:], b[:]) }
	for _, s := range slices.SortedFunc(maps.Keys(numbers), compare) {
		value := binary.BigEndian.AppendUint64(nil, numbers[s])
		if err := b.Put(append(key, s[:]...), value); err != nil {
			return err
		}
	}
	return nil
}

// last returns the highest block of the index; false when it is empty.
func (x *index) last() (n uint64, e entry, found bool, err error) {
	err = x.view(func(tx *bbolt.Tx) error {
		k, v := tx.Bucket([]byte(blocksBucket)).Cursor().Last()
		if k == nil {
			return nil
		}
		if len(k) != 8 {
			return fmt.Errorf("%w: key %x", errDamaged, k)
		}
		n, found = binary.BigEndian.Uint64(k), true
		e, err = parseEntry(n, v)
		return err
	})
	return n, e, found, err
}

func (x *index) entry(n uint64) (e entry, err error) {
	err = x.view(func(tx *bbolt.Tx) error {
		e, err = parseEntry(n, tx.Bucket([]byte(blocksBucket)).Get(binary.BigEndian.AppendUint64(nil, n)))
		return err
	})
	return e, err
}

// find searches the runs of a bucket, oldest first.
func (x *index) find(bucket string, s sum) (n uint64, found bool, err error) {
	err = x.view(func(tx *bbolt.Tx) error {
		n, found, err = findInRuns(tx.Bucket([]byte(bucket)).Cursor(), s)
		return err
	})
	return n, found, err
}

func findInRuns(c *bbolt.Cursor, s sum) (uint64, bool, error) {
	key := make([]byte, runSize+len(s))
	copy(key[runSize:], s[:])
	k, _ := c.First()
	for first := true; k != nil; first = false {
		// Runs must ascend, or the search of a damaged tree might not end.
		if len(k) != len(key) || (!first && bytes.Compare(k[:runSize], key[:runSize]) <= 0) {
			return 0, false, fmt.Errorf("%w: key %x", errDamaged, k)
		}
		copy(key, k[:runSize])
		var v []byte
		if k, v = c.Seek(key); bytes.Equal(k, key) && len(v) == 8 {
			return binary.BigEndian.Uint64(v), true, nil
		}
		if bytes.HasPrefix(k, key[:runSize]) {
			next := binary.BigEndian.Uint64(key) + 1
			k, _ = c.Seek(binary.BigEndian.AppendUint64(nil, next))
		}
	}
	return 0, false, nil
}

func (x *index) view(fn func(*bbolt.Tx) error) error {
	return x.judge(guard(func() error { return x.db.View(fn) }))
}

func (x *index) update(fn func(*bbolt.Tx) error) error {
	return x.judge(guard(func() error { return x.db.Update(fn) }))
}

func (x *index) close() error { return x.db.Close() }
