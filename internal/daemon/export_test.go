// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"net"

	"github.com/weft-p2p/weft"
)

// Node is the node of a daemon.
func (d *Daemon) Node() *weft.Node { return d.node }

// ListenAddress is where others of the same machine reach a daemon.
func (d *Daemon) ListenAddress() string { return d.host.Network().ListenAddresses()[0].String() }

// OperationsAddress is where its operations are.
func (d *Daemon) OperationsAddress() net.Addr { return d.operations.Addr() }

// Await is what bounds the end of Run.
var Await = await

// Looks has the MSP folder looked at a number of times, as if a minute had passed before each.
func (d *Daemon) Looks(ctx context.Context, times int) {
	r := d.newRenewal()
	for range times {
		r.look(ctx, false)
	}
}
