// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	corehost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/simtest"
)

// TestTheMuteSayNothingOfBlocks: on streams that were open before and on new ones, in both directions; the rest goes on.
func TestTheMuteSayNothingOfBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, hush := simtest.New(t, lan), new(atomic.Bool)
		host := func(i int) corehost.Host {
			h, err := libp2p.New(n.Options(i)...)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, h.Close()) })
			return h
		}
		other, mute := host(0), muffled{host(1), hush}
		require.NoError(t, other.Connect(t.Context(), peer.AddrInfo{ID: mute.ID(), Addrs: mute.Addrs()}))
		for _, id := range []protocol.ID{"/weft/sync/1.0.0", "/weft/relay/1.0.0", "/weft/push/1.0.0"} {
			hush.Store(false)
			for _, h := range []corehost.Host{other, mute} {
				h.SetStreamHandler(id, func(s network.Stream) { _, _ = io.Copy(s, s) })
			}
			theirs, err := other.NewStream(t.Context(), mute.ID(), id)
			require.NoError(t, err)
			ours, err := mute.NewStream(t.Context(), other.ID(), id)
			require.NoError(t, err)
			require.True(t, echoes(t, theirs))
			require.True(t, echoes(t, ours))
			hush.Store(true)
			require.Equal(t, !spreads(id), echoes(t, theirs), id)
			require.Equal(t, !spreads(id), echoes(t, ours), id)
			require.NoError(t, theirs.Reset())
			require.NoError(t, ours.Reset())
		}
	})
}

// echoes says whether the other end of a stream answers.
func echoes(t *testing.T, s network.Stream) bool {
	_, err := s.Write([]byte{1})
	require.NoError(t, err)
	require.NoError(t, s.SetReadDeadline(time.Now().Add(time.Second)))
	_, err = io.ReadFull(s, make([]byte, 1))
	return err == nil
}
