// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
	"weak"

	lru "github.com/hashicorp/golang-lru/v2"
)

// ErrUnknownRecord reports the digest of a record that is not remembered: no
// offence, its owner shows the whole record now and then.
var ErrUnknownRecord = errors.New("msp: unknown member record")

// Records remembers opened records, so that the signatures of each are verified
// once, however many messages carry it, and so that messages may name it by its
// digest. It remembers the last ones that were used, and all that anything in
// the process still holds, such as a membership view: whoever floods it with
// records of his own makes it forget no member. Safe for concurrent use.
type Records struct {
	recent *lru.Cache[digest, *Record]
	held   *sync.Map // digest -> weak.Pointer[Record]
	seals  seals
}

type digest = [sha256.Size]byte

// NewRecords remembers up to size records that nobody holds, at least one: some
// 5 KiB each, at most MaxRecord and its parsed certificate.
func NewRecords(size int) *Records {
	recent, err := lru.New[digest, *Record](max(size, 1))
	if err != nil {
		panic(fmt.Sprintf("msp: cache of %d records: %v", size, err)) // only for a size below 1
	}
	return &Records{recent: recent, held: new(sync.Map)}
}

// Open is OpenRecord with a memory. The time is checked on every call.
func (r *Records) Open(raw []byte, now time.Time) (*Record, error) {
	if len(raw) > MaxRecord {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrRecord, len(raw), MaxRecord)
	}
	if rec := r.find(sha256.Sum256(raw)); rec != nil {
		return rec, rec.ValidAt(now)
	}
	rec, err := OpenRecord(raw, now)
	if err != nil {
		return nil, err
	}
	r.add(rec)
	return rec, nil
}

// find returns a remembered record, nil if there is none with this digest.
func (r *Records) find(d digest) *Record {
	if rec, ok := r.recent.Get(d); ok {
		return rec
	}
	if held, ok := r.held.Load(d); ok {
		return held.(weak.Pointer[Record]).Value()
	}
	return nil
}

func (r *Records) add(rec *Record) {
	d, ref, held := rec.Digest(), weak.Make(rec), r.held
	r.recent.Add(d, rec)
	held.Store(d, ref)
	runtime.AddCleanup(rec, func(d digest) { held.CompareAndDelete(d, ref) }, d) // without r, which may hold rec
}
