// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"sync"
	"testing"
	"time"

	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
)

// TestKeeperClosesSecondConnections: of two connections between hosts that dialed each other at once, the one that carries nothing goes,
// and what the other carries goes on. A host that is not ours alone, and connections of which none carries anything, are left alone.
func TestKeeperClosesSecondConnections(t *testing.T) {
	for name, c := range map[string]struct {
		owned, stream bool
		conns         int
	}{
		"one carries a stream":   {owned: true, stream: true, conns: 1},
		"neither carries any":    {owned: true, conns: 2},
		"the host is a caller's": {stream: true, conns: 2},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				a, b := s.plain(), s.plain()
				b.SetStreamHandler("/test", func(s network.Stream) {
					var one [1]byte
					for _, err := s.Read(one[:]); err == nil; _, err = s.Read(one[:]) {
						_, _ = s.Write(one[:])
					}
				})
				var dialing sync.WaitGroup
				dialing.Go(func() { connect(t, a, b) })
				dialing.Go(func() { connect(t, b, a) })
				dialing.Wait()
				time.Sleep(time.Second)
				require.Len(t, a.Network().Conns(), 2)
				echo := func() {}
				if c.stream {
					stream, err := a.NewStream(t.Context(), b.ID(), "/test")
					require.NoError(t, err)
					defer func() { require.NoError(t, stream.Reset()) }()
					echo = func() {
						_, err := stream.Write([]byte{1})
						require.NoError(t, err)
						_, err = stream.Read(make([]byte, 1))
						require.NoError(t, err)
					}
				}
				echo()
				for _, h := range []corehost.Host{a, b} {
					want(keep(t, h, func(cfg *host.KeeperConfig) { cfg.CloseDoubles = c.owned }), a, b)
				}
				time.Sleep(15 * time.Second)
				require.Len(t, a.Network().Conns(), 2, "not yet")
				time.Sleep(time.Minute)
				require.Len(t, a.Network().Conns(), c.conns)
				require.Len(t, b.Network().Conns(), c.conns)
				echo()
			})
		})
	}
}
