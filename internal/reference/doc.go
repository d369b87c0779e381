// SPDX-License-Identifier: Apache-2.0

// Package reference spreads blocks as others do, for benchmarks that show weft beside them: [Gossipsub] by itself, with its
// defaults or tuned for big messages, and [Fabric], a model of the gossip in Hyperledger Fabric's peers. Nothing is verified
// and nothing is kept: what they need is time on the network, and that is all they are good for.
package reference

import (
	"math/rand/v2"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Config is one host's place in a network.
type Config struct {
	Host    host.Host
	Members []peer.ID  // all others; only Fabric needs them
	Mute    bool       // take blocks and pass none on
	Rand    *rand.Rand // of this host alone; only Fabric needs it
	// Delivered hears of every block once, but for those that this host publishes. It may be called by several goroutines.
	Delivered func(number uint64)
}
