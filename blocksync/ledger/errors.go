// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"fmt"
	"syscall"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNotFound: no block has this number, header hash or transaction.
	ErrNotFound = errors.New("ledger: not found")
	// ErrGap: the block to append is not the one whose number is Height.
	ErrGap = errors.New("ledger: not the next block")
	// ErrTooLarge: the marshalled block is larger than MaxBlock.
	ErrTooLarge = errors.New("ledger: block too large")
	// ErrInUse: another process, or another Ledger of this one, holds the directory.
	ErrInUse = errors.New("ledger: directory is in use")
	// ErrClosed: the ledger was closed.
	ErrClosed = errors.New("ledger: closed")
	// ErrFull: the file system has no space left. The ledger stays consistent and goes on once there is space again.
	ErrFull = errors.New("ledger: disk full")
	// ErrCorrupt: stored bytes are not those that were written.
	ErrCorrupt = errors.New("ledger: corrupt")
	// ErrOtherChannel: the directory holds the blocks of another channel.
	ErrOtherChannel = errors.New("ledger: directory belongs to another channel")
)

// corrupt names the place of the damage and the way out.
func corrupt(path string, offset int64, what string) error {
	return fmt.Errorf("%w: %s at offset %d: %s; restore the file from a copy, or move the directory away to fetch the chain again",
		ErrCorrupt, path, offset, what)
}

// writeError turns a full disk or an exhausted quota into ErrFull.
func writeError(dir string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: free space for %s: %w", ErrFull, dir, err)
	}
	return err
}
