// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
)

func TestLimitsFollowTheFormula(t *testing.T) {
	for _, members := range []int{0, 16, 100, 1000} {
		m := max(members, 16)
		l := rcmgr.NewFixedLimiter(host.Limits(members))
		system := l.GetSystemLimits()
		require.Equal(t, 2*m+64, system.GetConnLimit(network.DirInbound))
		require.Equal(t, 2*m+64, system.GetConnLimit(network.DirOutbound))
		require.Equal(t, 4*m+128, system.GetConnTotalLimit())
		require.Equal(t, 4*m+128, system.GetFDLimit())
		require.Equal(t, 64*m+512, system.GetStreamLimit(network.DirInbound))
		require.Equal(t, 128*m+1024, system.GetStreamTotalLimit())
		require.EqualValues(t, (512+4*m)<<20, system.GetMemoryLimit())
		one := l.GetPeerLimits("somebody")
		require.Equal(t, 8, one.GetConnTotalLimit())
		require.Equal(t, 512, one.GetStreamLimit(network.DirInbound))
		require.EqualValues(t, 192<<20, one.GetMemoryLimit())
		service := l.GetServiceLimits("weft.auth")
		require.Equal(t, 16*m+256, service.GetStreamLimit(network.DirInbound))
		require.EqualValues(t, (256+2*m)<<20, service.GetMemoryLimit())
		require.Equal(t, 128, l.GetServicePeerLimits("weft.auth").GetStreamLimit(network.DirInbound))
		require.Equal(t, m+64, l.GetTransientLimits().GetConnLimit(network.DirInbound))
		require.Equal(t, m+64, l.GetTransientLimits().GetFDLimit())
	}
}

// A whole network may stand behind one address.
func TestManyConnectionsFromOneAddress(t *testing.T) {
	resources, err := host.NewResources(100)
	require.NoError(t, err)
	defer resources.Close()
	behindNAT := ma.StringCast("/ip4/203.0.113.7/tcp/40000")
	for range 100 {
		scope, err := resources.OpenConnection(network.DirInbound, true, behindNAT)
		require.NoError(t, err)
		defer scope.Done()
	}
}
