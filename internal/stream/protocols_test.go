// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/blocksync"
	"github.com/weft-p2p/weft/blocksync/relay"
	weftHost "github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/internal/stream"
	"github.com/weft-p2p/weft/topics"
)

// protocols are all that weft speaks on streams.
var protocols = map[string]stream.Protocol{"auth": weftHost.AuthProtocol, "push": topics.PushProtocol, "sync": blocksync.Protocol, "relay": relay.Protocol}

// TestProtocolsAtTheirLimits: every protocol at the figures of its own table, and one past them.
func TestProtocolsAtTheirLimits(t *testing.T) {
	one := fair.Owner{Org: "A", Identity: "one"}
	apart := func(i int) fair.Owner { return fair.Owner{Org: fmt.Sprint(i), Identity: "one"} }
	together := func(i int) fair.Owner { return fair.Owner{Org: "A", Identity: fmt.Sprint(i)} }
	for name, p := range protocols {
		t.Run(name+" MaxMessage", func(t *testing.T) {
			longest := bytes.Repeat([]byte{0}, p.MaxMessage)
			raw, err := stream.Tape(p, frame(longest)).Next()
			require.NoError(t, err)
			require.Len(t, raw, p.MaxMessage)
			_, err = stream.Tape(p, frame(append(longest, 0))).Next()
			require.ErrorIs(t, err, stream.ErrTooLarge)
		})
		t.Run(name+" Streams", func(t *testing.T) {
			enter := stream.Entrance(p)
			for i := range p.Streams {
				require.True(t, enter(apart(i)), "stream %d", i)
			}
			require.False(t, enter(apart(p.Streams)))
		})
		t.Run(name+" PeerStreams", func(t *testing.T) {
			enter := stream.Entrance(p)
			for i := range p.PeerStreams {
				require.True(t, enter(one), "stream %d", i)
			}
			require.False(t, enter(one))
			require.True(t, enter(together(2)))
		})
		t.Run(name+" Streams of an organization", func(t *testing.T) {
			enter := stream.Entrance(p)
			for i := range p.Streams / 2 {
				require.True(t, enter(together(i)), "stream %d", i)
			}
			require.False(t, enter(together(p.Streams)))
			require.True(t, enter(apart(1)))
		})
		t.Run(name+" Rate and Burst", func(t *testing.T) {
			requireRate(t, p, func(int) fair.Owner { return one }, p.Burst, int(p.Rate))
		})
		t.Run(name+" OrgRate and OrgBurst", func(t *testing.T) {
			requireRate(t, p, together, p.OrgBurst, int(p.OrgRate))
		})
	}
}

// requireRate requires that owners get a burst, nothing beyond it, and a second later what the rate gives.
func requireRate(t *testing.T, p stream.Protocol, owner func(i int) fair.Owner, burst, rate int) {
	synctest.Test(t, func(t *testing.T) {
		rates := stream.RatesOf(p)
		allowed := func(most int) (n int) {
			for i := range most {
				if ok, _ := rates.Allow(owner(i)); ok {
					n++
				}
			}
			return n
		}
		require.Equal(t, burst, allowed(burst))
		require.Zero(t, allowed(1))
		time.Sleep(time.Second)
		require.Equal(t, rate, allowed(rate+1))
	})
}
