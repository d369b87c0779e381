// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// maxPath is the longest path of a Unix socket that this system takes, in bytes.
const maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// Listen makes the socket at path with mode 0600. One that a dead process left is replaced; one that answers, and anything else at
// the path, is left alone. Errors wrap [ErrSocket]. Closing the listener removes the socket.
func Listen(path string) (net.Listener, error) {
	if len(path) > maxPath {
		return nil, fmt.Errorf("%w: the path %s has %d bytes, at most %d are allowed; choose a shorter weft.dataDir", ErrSocket, path, len(path), maxPath)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := listenPrivately(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSocket, err)
	}
	if err := os.Chmod(path, 0o600); err != nil { // where the system took no notice of the mode given before
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrSocket, err), l.Close())
	}
	return l, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", ErrSocket, err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%w: %s exists and is no socket; remove it", ErrSocket, path)
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		return errors.Join(fmt.Errorf("%w: another process answers at %s; stop it first", ErrSocket, path), conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w: %w", ErrSocket, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("%w: remove what a dead process left: %w", ErrSocket, err)
	}
	return nil
}
