// SPDX-License-Identifier: Apache-2.0

package membership_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/weft-p2p/weft/membership"
	"github.com/weft-p2p/weft/msp"
)

// pool holds the records of 24 host keys of 6 identities of 3 organizations, in
// two incarnations each. The first identity has most of the host keys.
var pool = sync.OnceValue(func() [][2]*msp.Record {
	t := new(fatalKit)
	var records [][2]*msp.Record
	for i, n := range []int{12, 4, 3, 2, 2, 1} {
		id := identity(t, fmt.Sprintf("Org%dMSP", i%3))
		for k := range n {
			name := fmt.Sprintf("host %d of %d", k, i)
			records = append(records, [2]*msp.Record{record(t, name, id, 1), record(t, name, id, 2)})
		}
	}
	return records
})

// fatalKit makes material outside any one test.
type fatalKit struct{}

func (*fatalKit) Helper()                   {}
func (*fatalKit) FailNow()                  { panic("no test material") }
func (*fatalKit) Errorf(f string, a ...any) { fmt.Printf(f, a...) }

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

type position struct{ incarnation, sequence uint64 }

func (p position) after(o position) bool {
	return p.incarnation > o.incarnation || p.incarnation == o.incarnation && p.sequence > o.sequence
}

// heard is a heartbeat and where it came from.
type heard struct {
	from membership.Source
	beat *membership.Heartbeat
}

func (h heard) position() position {
	return position{h.beat.Record.Incarnation(), h.beat.Sequence}
}

// anyHeartbeat draws a heartbeat of one of the first hosts of the pool. As the
// senders' counter demands, its source follows from its sequence.
func anyHeartbeat(t *rapid.T, hosts int) heard {
	r := pool()[rapid.IntRange(0, hosts-1).Draw(t, "host")][rapid.IntRange(0, 1).Draw(t, "incarnation")]
	sequence := rapid.Uint64Range(1, 12).Draw(t, "sequence")
	h := beat(r, sequence, sequence)
	switch sequence % 5 {
	case 3:
		h.Leaving = true
	case 4:
		h.Channels = nil
	}
	h.Addrs = append(h.Addrs, addr(t, fmt.Sprintf("/ip4/10.0.0.%d/tcp/1", sequence)))
	return heard{membership.Source(sequence % 2), h}
}

// A member whose heartbeats come in time never dies, whatever old heartbeats
// come in between and however the clock jumps back.
func TestSteadyMembersLive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := newView(t, membership.ViewConfig{Scope: scope})
		r, now := pool()[0][1], start
		v.Observe(now, membership.Channel, beat(r, 1000, 1))
		for sequence := uint64(1001); sequence < 1040; sequence++ {
			pause := time.Duration(rapid.Int64Range(0, int64(25*time.Second)-1).Draw(t, "pause"))
			for _, c := range v.Expire(now.Add(pause)) {
				require.NotEqual(t, membership.Died, c.Kind)
			}
			if rapid.Bool().Draw(t, "jump") {
				now = now.Add(-time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "back")))
			}
			old := anyHeartbeat(t, 1)
			v.Observe(now.Add(pause), old.from, old.beat)
			now = now.Add(pause)
			c := v.Observe(now, membership.Source(sequence%2), beat(r, sequence, 1))
			require.Contains(t, []membership.Kind{membership.Refreshed, membership.Advanced, membership.Updated}, c.Kind)
			m, _ := v.Find(r.PeerID())
			require.True(t, m.Alive)
		}
	})
}

// Only a heartbeat that is newer than everything heard makes anybody alive.
func TestNoResurrection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := newView(t, membership.ViewConfig{Scope: scope, Limits: membership.Limits{PerIdentity: 100}})
		newest, now := map[peer.ID]position{}, start
		for range rapid.IntRange(1, 80).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(5*time.Minute)).Draw(t, "pause")))
			h := anyHeartbeat(t, 3)
			id, before := h.beat.Record.PeerID(), newest[h.beat.Record.PeerID()]
			switch rapid.IntRange(0, 4).Draw(t, "event") {
			case 0:
				v.Unreachable(now, id)
			case 1:
				v.Forget(now, id)
			case 2:
				for _, c := range v.Expire(now) {
					require.False(t, c.Member.Alive && c.Kind != membership.Updated)
				}
			default:
				was, _ := v.Find(id)
				c := v.Observe(now, h.from, h.beat)
				m, _ := v.Find(id)
				if !h.position().after(before) {
					require.False(t, m.Alive && !was.Alive, "%v by %v after %v", c.Kind, h.position(), before)
					require.True(t, m.LastSeen.Equal(was.LastSeen) || !m.Alive)
				} else {
					newest[id] = h.position()
				}
			}
		}
	})
}

// The same heartbeats give the same view in any order.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []heard
		for range rapid.IntRange(1, 30).Draw(t, "heartbeats") {
			all = append(all, anyHeartbeat(t, 4))
		}
		shuffled := rapid.Permutation(all).Draw(t, "order")
		require.Equal(t, membersAfter(t, all), membersAfter(t, shuffled))
	})
}

func membersAfter(t *rapid.T, all []heard) []membership.Member {
	v := newView(t, membership.ViewConfig{Scope: scope})
	for _, h := range all {
		v.Observe(start, h.from, h.beat)
	}
	return v.Members()
}

// Whatever comes, the view stays within its limits, by identity as well, and
// what Displaced and the changes say adds up to what the view holds.
func TestBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := membership.Limits{Members: rapid.IntRange(1, 12).Draw(t, "members"), PerIdentity: 3}
		v, now := newView(t, membership.ViewConfig{Scope: scope, Limits: limits}), start
		present := map[peer.ID]bool{}
		count := func(c membership.Change) {
			switch c.Kind {
			case membership.Joined:
				present[c.Member.ID] = true
			case membership.Left, membership.Purged:
				delete(present, c.Member.ID)
			}
			if c.Displaced != nil {
				delete(present, c.Displaced.ID)
			}
		}
		for range rapid.IntRange(1, 100).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "pause")))
			h := anyHeartbeat(t, len(pool()))
			count(v.Observe(now, h.from, h.beat))
			if rapid.Bool().Draw(t, "expire") {
				for _, c := range v.Expire(now) {
					count(c)
				}
			}
			checkBounds(t, v, limits, present)
		}
	})
}

func checkBounds(t *rapid.T, v *membership.View, limits membership.Limits, present map[peer.ID]bool) {
	require.LessOrEqual(t, v.Size(), limits.Members)
	identities, members := map[msp.Key]int{}, v.Members()
	require.Len(t, members, len(present))
	for _, m := range members {
		require.True(t, present[m.ID])
		identities[m.Record.Identity().Key()]++
	}
	for _, n := range identities {
		require.LessOrEqual(t, n, limits.PerIdentity)
	}
	require.True(t, slices.IsSortedFunc(members, func(a, b membership.Member) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	}))
}

// An organization with any number of host keys does not keep another one out.
func TestNobodyIsCrowdedOut(t *testing.T) {
	v := newView(t, membership.ViewConfig{Scope: scope, Limits: membership.Limits{Members: 5, PerIdentity: 100}})
	hostile, honest := identity(t, "HostileMSP"), identity(t, "HonestMSP")
	v.Observe(start, membership.Channel, beat(record(t, "honest 1", honest, 1), 1, 1))
	for i := range 50 {
		v.Observe(start, membership.Channel, beat(record(t, fmt.Sprint(i), hostile, 1), 1, 1))
	}
	require.Equal(t, 5, v.Size())
	c := v.Observe(start, membership.Channel, beat(record(t, "honest 2", honest, 1), 1, 1))
	require.Equal(t, membership.Joined, c.Kind)
	require.Equal(t, "HostileMSP", c.Displaced.MSPID)
	for _, name := range []string{"honest 1", "honest 2"} {
		_, ok := v.Find(peerID(t, name))
		require.True(t, ok)
	}
}
