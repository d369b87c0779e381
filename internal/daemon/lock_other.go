// SPDX-License-Identifier: Apache-2.0

//go:build !unix || solaris || aix

package daemon

import (
	"errors"
	"fmt"
	"os"
)

// lock refuses: without flock two processes could use the same directory.
func lock(path string) (*os.File, error) {
	return nil, fmt.Errorf("lock %s: no flock on this platform: %w", path, errors.ErrUnsupported)
}
