// SPDX-License-Identifier: Apache-2.0

//go:build !unix || solaris || aix

package ledger

import (
	"errors"
	"fmt"
	"os"
)

// lock refuses: without flock two processes could write the same directory.
func lock(dir string) (*os.File, error) {
	return nil, fmt.Errorf("lock %s: no flock on this platform: %w", dir, errors.ErrUnsupported)
}
