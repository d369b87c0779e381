// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package admin

import "net"

// listenPrivately makes a socket; the folder around it keeps others out until its mode is set.
func listenPrivately(path string) (net.Listener, error) { return net.Listen("unix", path) }
