// SPDX-License-Identifier: Apache-2.0

package host

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
)

// TestSurplus: a connection to a member that needs none is closed after 20 s, once; not if it has ended or the member is wanted by then.
func TestSurplus(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	set := func(ids ...peer.ID) map[peer.ID]struct{} {
		all := map[peer.ID]struct{}{}
		for _, id := range ids {
			all[id] = struct{}{}
		}
		return all
	}
	var s surplus
	closes := func(seconds int) []peer.ID {
		ids, wake := s.due(at(seconds))
		require.True(t, wake.IsZero() || wake.After(at(seconds)))
		return ids
	}
	s.connected(at(0), "nobody")
	s.set(at(0), set("a", "b", "c", "away"), func(id peer.ID) bool { return id != "away" })
	_, wake := s.due(at(0))
	require.Equal(t, at(20), wake)
	s.set(at(10), set("a", "b", "away"), func(id peer.ID) bool { return id != "away" }) // c is wanted
	s.disconnected("b")
	require.Empty(t, closes(19))
	require.Equal(t, []peer.ID{"a"}, closes(20), "since it was set and connected")
	require.Empty(t, closes(21), "once")
	s.connected(at(30), "b")
	s.connected(at(40), "b")
	s.connected(at(35), "away")
	require.Equal(t, []peer.ID{"b"}, closes(50))
	require.Equal(t, []peer.ID{"away"}, closes(55))
	require.Empty(t, closes(1000))
}
