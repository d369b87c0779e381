// SPDX-License-Identifier: Apache-2.0

package host

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
)

// What is attempted at addresses, of which nobody knows who is there.
func TestAddresses(t *testing.T) {
	high := member("z")
	play(t, map[string]func(s *script){
		"at addresses, to 25 seconds": func(s *script) {
			boot := address("boot:7061")
			s.wants(boot)
			for _, most := range []time.Duration{1, 2, 4, 8, 16, 25, 25, 25} {
				s.starts(boot)
				s.ends(boot, "", errDown)
				s.waits(most*time.Second/2, most*time.Second)
			}
		},
		"the address of a wanted member is left alone until nobody is left": func(s *script) {
			boot, there := address("boot:7061"), member("q")
			s.wants(boot, there, high)
			s.starts(boot, there, high)
			s.ends(boot, "", errDown)
			s.ends(high, "z", nil)
			s.ends(there, "q", errDown)
			s.tells(there.id)
			s.waits(firstRetry/2, firstRetry)
			s.after(firstRetry)
			s.starts(boot, there)
			s.ends(boot, "q", nil)
			s.ends(there, "q", nil)
			s.after(time.Hour)
			s.disconnected(s.now(), there.id)
			s.after(spread)
			s.starts(there) // high is still there
			s.disconnected(s.now(), high.id)
			s.after(spread)
			s.starts(boot, high)
			s.ends(boot, "", errDown)
		},
		"the address of somebody who is not wanted is dialed again, and backs off": func(s *script) {
			boot := address("boot:7061")
			s.wants(boot, high)
			s.starts(boot, high)
			s.ends(boot, "q", nil)
			s.ends(high, "z", nil)
			s.after(time.Hour)
			s.starts() // connected is connected, wanted or not
			s.disconnected(s.now(), "q")
			s.after(spread)
			s.tells() // no member
			for _, most := range []time.Duration{1, 2, 4} {
				s.starts(boot)
				s.ends(boot, "", errDown)
				s.waits(most*time.Second/2, most*time.Second)
			}
			s.starts(boot)
			s.ends(boot, "q", nil)
			s.starts()
		},
		"the address of a member that is forgotten is dialed again": func(s *script) {
			boot, there := address("boot:7061"), member("q")
			s.wants(boot, there, high)
			s.starts(boot, there, high)
			s.ends(boot, "q", nil)
			s.ends(there, "q", nil)
			s.ends(high, "z", nil)
			s.after(time.Hour)
			s.disconnected(s.now(), there.id)
			s.after(spread)
			s.starts(there)
			s.wants(boot, high) // while the attempt runs
			s.starts(boot)
			s.ends(there, "q", errDown)
		},
		"who is at an address but does not authenticate is known, and tried soon when it connects": func(s *script) {
			boot := address("boot:7061")
			s.wants(boot)
			for range 6 {
				s.starts(boot)
				s.done(s.now(), attempt{target: boot, peer: "q", err: errDown, linked: true})
				require.Equal(s.T, peer.ID("q"), s.who(boot))
				protect, _, _ := s.kept()
				require.Empty(s.T, protect)
				s.waits(firstRetry/2, lastRetryAddress)
			}
			s.starts(boot)
			s.done(s.now(), attempt{target: boot, peer: "", err: errDown})
			require.Equal(s.T, peer.ID("q"), s.who(boot))
			s.connected(s.now(), "q")
			s.waits(firstRetry, firstRetry)
			s.starts(boot)
		},
		"who was found at an address is protected": func(s *script) {
			boot := address("boot:7061")
			s.wants(boot)
			s.starts(boot)
			s.ends(boot, "b", nil)
			protect, _, _ := s.kept()
			require.Equal(s.T, map[peer.ID]struct{}{"b": {}}, protect)
		},
		"our own address is dialed once": func(s *script) {
			boot := address("me:7061")
			s.wants(boot)
			s.starts(boot)
			s.done(s.now(), attempt{target: boot, peer: self, err: ErrOwnAddress, never: true})
			s.after(time.Hour)
			s.starts()
		},
	})
}

// Until somebody is connected, or nobody was at any address, more are to come.
func TestJoining(t *testing.T) {
	s := newScript(t, address("first:1"), address("own:1"))
	require.True(t, s.joining())
	s.starts(address("first:1"), address("own:1"))
	s.done(s.now(), attempt{target: address("own:1"), peer: self, never: true, err: ErrOwnAddress})
	require.True(t, s.joining())
	s.ends(address("first:1"), "", errDown)
	require.False(t, s.joining(), "nobody is there")

	s = newScript(t, address("first:1"), address("second:1"))
	s.starts(address("first:1"), address("second:1"))
	s.ends(address("first:1"), "a", nil)
	require.False(t, s.joining(), "somebody is there")
	require.False(t, newScript(t).joining(), "there is nowhere to look")
}

// A member that is connected as whoever is at an address needs no tie break: its end is noticed from the first moment on.
func TestWantWhoIsFound(t *testing.T) {
	s := newScript(t, address("first:1"))
	s.starts(address("first:1"))
	s.ends(address("first:1"), "a", nil)
	s.wants(address("first:1"), member("a"), member("b"))
	s.starts(member("a"))
	s.waits(tieBreak, tieBreak)
	s.starts(member("b"))
}
