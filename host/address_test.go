// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/host"
)

// Real sockets, since host:port means TCP first.
func TestDialAddressOnLoopback(t *testing.T) {
	build := func(listen ...string) *host.Host {
		h, err := host.New(t.Context(), host.Config{Key: newHostKey(t), ListenAddrs: listen})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, h.Close()) })
		return h
	}
	server := build("/ip4/127.0.0.1/tcp/0")
	port, err := server.Network().ListenAddresses()[0].ValueForProtocol(ma.P_TCP)
	require.NoError(t, err)
	udp := build("/ip4/127.0.0.1/udp/0/quic-v1")
	udpPort, err := udp.Network().ListenAddresses()[0].ValueForProtocol(ma.P_UDP)
	require.NoError(t, err)
	other := build("/ip4/127.0.0.1/tcp/0")

	for name, tc := range map[string]struct {
		addr string
		who  *host.Host
	}{
		"IP and port":       {"127.0.0.1:" + port, server},
		"name and port":     {"localhost:" + port, server},
		"multiaddr":         {"/ip4/127.0.0.1/tcp/" + port, server},
		"multiaddr with ID": {"/ip4/127.0.0.1/tcp/" + port + "/p2p/" + server.ID().String(), server},
		"QUIC behind TCP":   {"127.0.0.1:" + udpPort, udp},
	} {
		t.Run(name, func(t *testing.T) {
			client := build()
			before := client.Peerstore().Peers().Len()
			id, err := host.DialAddress(t.Context(), client, tc.addr)
			require.NoError(t, err)
			require.Equal(t, tc.who.ID(), id)
			require.True(t, connected(client, tc.who))
			require.Equal(t, before+1, client.Peerstore().Peers().Len(), "nothing is left of the made-up ID")
		})
	}
	t.Run("another ID than the one asked for", func(t *testing.T) {
		_, err := host.DialAddress(t.Context(), build(), "/ip4/127.0.0.1/tcp/"+port+"/p2p/"+other.ID().String())
		require.ErrorContains(t, err, "peer id mismatch")
	})
	t.Run("ourselves", func(t *testing.T) {
		_, err := host.DialAddress(t.Context(), server, "127.0.0.1:"+port)
		require.ErrorIs(t, err, host.ErrOwnAddress)
	})
	t.Run("nobody", func(t *testing.T) {
		_, err := host.DialAddress(t.Context(), build(), "/ip4/127.0.0.1/tcp/1")
		require.ErrorContains(t, err, "dial /ip4/127.0.0.1/tcp/1")
	})
	t.Run("who does not answer", func(t *testing.T) {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer silent.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err = host.DialAddress(ctx, build(), "/ip4/127.0.0.1/tcp/"+fmt.Sprint(silent.Addr().(*net.TCPAddr).Port))
		require.Error(t, err)
	})
}

func TestDialAddressRefusesNonsense(t *testing.T) {
	h, err := host.New(t.Context(), host.Config{Key: newHostKey(t)})
	require.NoError(t, err)
	defer h.Close()
	for _, addr := range []string{
		"", "peer0", "peer0:", ":7061", "peer0:0", "peer0:65536", "peer0:http", "/", "/nonsense/7061", "a/tcp/1:7061",
		"/p2p/" + h.ID().String(), "[::1", "http://peer0:7061",
	} {
		t.Run(addr, func(t *testing.T) {
			_, err := host.DialAddress(t.Context(), h, addr)
			require.ErrorIs(t, err, host.ErrAddress)
		})
	}
}
