// SPDX-License-Identifier: Apache-2.0

package host

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// Sever resets the streams between h and a peer that speak one of the protocols, whoever opened them: nothing more is sent
// on them, and what waits in them is dropped. Connections and other streams stay. Take the permission away before, so that
// no new stream gets it.
func Sever(h host.Host, id peer.ID, protocols ...protocol.ID) {
	for _, c := range h.Network().ConnsToPeer(id) {
		for _, s := range c.GetStreams() {
			if slices.Contains(protocols, s.Protocol()) {
				_ = s.ResetWithError(network.StreamGated)
			}
		}
	}
}
