// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/membership"
)

func TestTiming(t *testing.T) {
	d := membership.DefaultTiming()
	require.NoError(t, d.Validate())
	tests := map[string]struct {
		change func(*membership.Timing)
		err    string
	}{
		"interval":          {func(t *membership.Timing) { t.AliveInterval = 0 }, "peer.gossip.aliveTimeInterval is 0s"},
		"short expiration":  {func(t *membership.Timing) { t.AliveExpiration = 9 * time.Second }, "peer.gossip.aliveExpirationTimeout is 9s"},
		"endless":           {func(t *membership.Timing) { t.AliveExpiration = 25 * time.Hour }, "at most 24h"},
		"factor":            {func(t *membership.Timing) { t.ExpirationFactor = 1 }, "peer.gossip.msgExpirationFactor is 1"},
		"factor overflows":  {func(t *membership.Timing) { t.ExpirationFactor = 1 << 30 }, "peer.gossip.msgExpirationFactor"},
		"negative interval": {func(t *membership.Timing) { t.AliveInterval = -1 }, "must be positive"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			timing := d
			test.change(&timing)
			require.ErrorContains(t, timing.Validate(), test.err)
			_, err := membership.NewView(membership.ViewConfig{Timing: timing})
			require.ErrorContains(t, err, test.err)
		})
	}
	_, err := membership.NewView(membership.ViewConfig{Limits: membership.Limits{Members: -1}})
	require.ErrorContains(t, err, "must be positive")
}

func TestSnapshotsAreCopies(t *testing.T) {
	v := newView(t, membership.ViewConfig{Scope: scope})
	h := beat(record(t, "alice", identity(t, "Org1MSP"), 1), 1, 5)
	h.Addrs = []ma.Multiaddr{addr(t, "/ip4/10.0.0.1/tcp/1")}
	v.Observe(start, membership.Channel, h)
	m := v.Members()[0]
	m.Addrs[0], m.State.HeadHash[0] = nil, ^m.State.HeadHash[0]
	again, ok := v.Find(m.ID)
	require.True(t, ok)
	require.Equal(t, h.Addrs, again.Addrs)
	require.Equal(t, hash(5), again.State.HeadHash)
	require.Equal(t, m.ID, again.AddrInfo().ID)
}

func TestHeights(t *testing.T) {
	v := newView(t, membership.ViewConfig{Scope: scope})
	id := identity(t, "Org1MSP")
	for name, height := range map[string]uint64{"a": 3, "b": 7, "c": 7, "d": 9} {
		v.Observe(start, membership.Channel, beat(record(t, name, id, 1), 1, height))
	}
	v.Unreachable(start, peerID(t, "d"))
	top, height := v.Highest()
	require.Equal(t, min(peerID(t, "b"), peerID(t, "c")), top, "of equals the first one")
	require.EqualValues(t, 7, height)
	require.Len(t, v.AtOrAbove(7), 2)
	require.Len(t, v.AtOrAbove(3), 3)
	require.Empty(t, v.AtOrAbove(8))
	require.Len(t, v.Alive(), 3)
	require.Len(t, v.Members(), 4)
}

func TestKinds(t *testing.T) {
	require.Equal(t, "joined", membership.Joined.String())
	require.Equal(t, "full", membership.Full.String())
	require.Equal(t, "kind(99)", membership.Kind(99).String())
	require.True(t, membership.Refreshed.Fresh())
	require.False(t, membership.Refreshed.Changed())
	for _, kind := range []membership.Kind{membership.None, membership.Equal, membership.Older, membership.Own, membership.Full} {
		require.False(t, kind.Fresh(), kind)
	}
}

func TestNet(t *testing.T) {
	const (
		joined, returned, updated = membership.Joined, membership.Returned, membership.Updated
		died, left, purged        = membership.Died, membership.Left, membership.Purged
		advanced                  = membership.Advanced
	)
	tests := map[string]struct {
		changes []membership.Kind
		net     membership.Kind
	}{
		"came and went":            {[]membership.Kind{joined, left}, membership.None},
		"came and was displaced":   {[]membership.Kind{joined, purged}, membership.None},
		"came, died, forgotten":    {[]membership.Kind{joined, died, purged}, membership.None},
		"came and spoke":           {[]membership.Kind{joined, updated}, joined},
		"came and died":            {[]membership.Kind{joined, died}, died},
		"came, died and returned":  {[]membership.Kind{joined, died, returned}, joined},
		"came, went and came":      {[]membership.Kind{joined, left, joined}, joined},
		"left and came":            {[]membership.Kind{left, joined}, returned},
		"left, came and left":      {[]membership.Kind{left, joined, left}, left},
		"died and was forgotten":   {[]membership.Kind{died, purged}, purged},
		"died and spoke late":      {[]membership.Kind{died, updated}, died},
		"died and returned":        {[]membership.Kind{died, returned, updated}, returned},
		"spoke and died":           {[]membership.Kind{updated, died}, died},
		"nothing anybody acts on":  {[]membership.Kind{membership.Refreshed, membership.Equal}, membership.None},
		"spoke and said it again":  {[]membership.Kind{updated, membership.Refreshed}, updated},
		"spoke and spoke":          {[]membership.Kind{updated, updated}, updated},
		"grew and spoke":           {[]membership.Kind{advanced, updated}, updated},
		"spoke and grew":           {[]membership.Kind{updated, advanced}, updated},
		"grew and grew":            {[]membership.Kind{advanced, advanced}, advanced},
		"grew and died":            {[]membership.Kind{advanced, died}, died},
		"came and grew":            {[]membership.Kind{joined, advanced}, joined},
		"forgotten and came again": {[]membership.Kind{purged, joined, updated}, returned},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.net, membership.Net(test.changes...)) })
	}
}
