// SPDX-License-Identifier: Apache-2.0

package host

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// lanHeadStart is what TCP gets before QUIC is tried inside a data centre, several round trips there. A refused TCP dial
// does not wait for it.
const lanHeadStart = 200 * time.Millisecond

// rankDials prefers TCP on private addresses, where QUIC costs three to four times the CPU and collapses under load
// (measured), then QUIC, then the rest; elsewhere libp2p's ranking, QUIC first, holds.
func rankDials(addrs []ma.Multiaddr) []network.AddrDelay {
	var ranked []network.AddrDelay
	var others []ma.Multiaddr
	for _, a := range addrs {
		if has(a, ma.P_CIRCUIT) || !manet.IsPrivateAddr(a) {
			others = append(others, a)
			continue
		}
		ranked = append(ranked, network.AddrDelay{Addr: a, Delay: lanDelay(a)})
	}
	direct := len(ranked) > 0
	for _, d := range swarm.DefaultDialRanker(others) {
		if direct && has(d.Addr, ma.P_CIRCUIT) {
			d.Delay = max(d.Delay, swarm.RelayDelay)
		}
		ranked = append(ranked, d)
	}
	return ranked
}

func lanDelay(a ma.Multiaddr) time.Duration {
	switch {
	case has(a, ma.P_WS), has(a, ma.P_WSS):
		return 2 * lanHeadStart
	case has(a, ma.P_TCP):
		return 0
	case has(a, ma.P_QUIC_V1):
		return lanHeadStart
	}
	return 2 * lanHeadStart
}

func has(a ma.Multiaddr, code int) bool {
	_, err := a.ValueForProtocol(code)
	return err == nil
}
