// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"os"
	"syscall"
)

// dataSync is fdatasync: the data and the size of a file, but not its times.
func dataSync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
