// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	berrors "go.etcd.io/bbolt/errors"
)

// errDamaged says that the index file is not what was written, or does not fit the segments.
var errDamaged = errors.New("index damaged")

// guard turns what bbolt does when it meets damaged pages, a panic or a fault in mapped memory, into errDamaged. These
// bytes come from a disk; a bad sector in a file that can be made again must not end the process.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errDamaged, r)
		}
	}()
	return fn()
}

// judge takes a damaged file out of the directory, so that the next Open makes a new one.
func (x *index) judge(err error) error {
	switch {
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return ErrClosed
	case errors.Is(err, errDamaged):
		return fmt.Errorf("%w: %s: %w; restart to have it made again", ErrCorrupt, x.path, errors.Join(err, os.Remove(x.path)))
	}
	return err
}
