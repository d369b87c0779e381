// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto/sha256"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Records remembers opened records, so that the signatures of each are verified
// once, however many messages carry it. Safe for concurrent use.
type Records struct {
	opened *lru.Cache[[sha256.Size]byte, *Record]
}

// NewRecords remembers up to size records, at least one: some 5 KiB each, at
// most MaxRecord and its parsed certificate.
func NewRecords(size int) *Records {
	opened, err := lru.New[[sha256.Size]byte, *Record](max(size, 1))
	if err != nil {
		panic(fmt.Sprintf("msp: cache of %d records: %v", size, err)) // only for a size below 1
	}
	return &Records{opened: opened}
}

// Open is OpenRecord with a memory. The time is checked on every call.
func (r *Records) Open(raw []byte, now time.Time) (*Record, error) {
	if len(raw) > MaxRecord {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrRecord, len(raw), MaxRecord)
	}
	digest := sha256.Sum256(raw)
	if rec, ok := r.opened.Get(digest); ok {
		return rec, rec.ValidAt(now)
	}
	rec, err := OpenRecord(raw, now)
	if err != nil {
		return nil, err
	}
	r.opened.Add(digest, rec)
	return rec, nil
}
