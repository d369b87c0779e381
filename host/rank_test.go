// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
)

func TestRankDials(t *testing.T) {
	for name, tc := range map[string]struct {
		first, later string
	}{
		"TCP before QUIC in a data centre":        {"/ip4/10.0.0.1/tcp/7061", "/ip4/10.0.0.1/udp/7061/quic-v1"},
		"QUIC before WebSocket in a data centre":  {"/ip4/10.0.0.1/udp/7061/quic-v1", "/ip4/10.0.0.1/tcp/80/ws"},
		"QUIC before TCP on the internet":         {"/ip4/8.8.8.8/udp/7061/quic-v1", "/ip4/8.8.8.8/tcp/7061"},
		"direct before relayed":                   {"/ip4/10.0.0.1/tcp/7061", "/ip4/8.8.8.8/tcp/1/p2p/12D3KooWQmu6arYSDfbzKowru4x6BKxZ4ZTBXr8HXmQ7PGEab1zh/p2p-circuit"},
		"TCP before QUIC on loopback":             {"/ip4/127.0.0.1/tcp/7061", "/ip4/127.0.0.1/udp/7061/quic-v1"},
		"private TCP before what is not known of": {"/ip4/10.0.0.1/tcp/7061", "/ip4/10.0.0.1/udp/7061/webrtc-direct"},
	} {
		t.Run(name, func(t *testing.T) {
			first, later := ma.StringCast(tc.first), ma.StringCast(tc.later)
			delays := map[string]time.Duration{}
			for _, d := range host.RankDials([]ma.Multiaddr{later, first}) {
				delays[d.Addr.String()] = d.Delay
			}
			require.Len(t, delays, 2)
			require.Less(t, delays[first.String()], delays[later.String()])
		})
	}
}
