// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// listenPrivately makes a socket that nobody else can open at any time: on Linux it takes the mode that its descriptor has when it
// is bound.
func listenPrivately(path string) (net.Listener, error) {
	private := func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), 0o600) })
		return errors.Join(err, failed)
	}
	return (&net.ListenConfig{Control: private}).Listen(context.Background(), "unix", path)
}
