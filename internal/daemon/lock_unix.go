// SPDX-License-Identifier: Apache-2.0

//go:build unix && !solaris && !aix

package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// lock takes the file at path for this process until the returned file is closed or the process ends. The file holds the number of
// the process, for people.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("%w (process %s)", ErrInUse, holder(f))
		}
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := fmt.Fprintln(f, os.Getpid()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// holder is what the process that has the lock wrote.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 20))
	if number := strings.TrimSpace(string(text)); err == nil && number != "" {
		return number
	}
	return "unknown"
}
