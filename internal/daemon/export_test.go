// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"net"
	"time"

	"github.com/weft-p2p/weft"
)

// Node is the node of a daemon.
func (d *Daemon) Node() *weft.Node { return d.node }

// ListenAddress is where others of the same machine reach a daemon.
func (d *Daemon) ListenAddress() string { return d.host.Network().ListenAddresses()[0].String() }

// OperationsAddress is where its operations are.
func (d *Daemon) OperationsAddress() net.Addr { return d.operations.Addr() }

// WarnOfExpiry looks at the certificate as if it were another time.
func (d *Daemon) WarnOfExpiry(now time.Time) { d.warnOfExpiry(now) }

// Expires is when the certificate does.
func (d *Daemon) Expires() time.Time { return d.identity.Signer.ExpiresAt() }

// Await is what bounds the end of Run.
var Await = await
