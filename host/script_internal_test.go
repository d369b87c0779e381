// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/stretchr/testify/require"
)

var (
	epoch   = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	errDown = errors.New("down")
)

const self = peer.ID("m")

func member(id string) target    { return target{id: peer.ID(id)} }
func address(addr string) target { return target{addr: addr} }

// script drives a plan through a scenario; at is seconds since its start.
type script struct {
	*testing.T
	*plan
	at time.Duration
}

func newScript(t *testing.T, targets ...target) *script {
	s := &script{T: t, plan: newPlan(self, rand.New(rand.NewPCG(1, 2)))}
	s.wants(targets...)
	return s
}

func (s *script) now() time.Time { return epoch.Add(s.at) }

func (s *script) wants(targets ...target) {
	set := make(map[target]struct{})
	for _, t := range targets {
		set[t] = struct{}{}
	}
	s.want(s.now(), set)
}

func (s *script) after(d time.Duration) { s.at += d }

func (s *script) starts(want ...target) {
	s.Helper()
	got, _ := s.due(s.now(), 100, 0)
	require.ElementsMatch(s.T, want, got)
}

func (s *script) ends(t target, who string, err error) {
	s.done(s.now(), attempt{target: t, peer: peer.ID(who), err: err, linked: err == nil, begun: s.now()})
}

// waits moves on to the next wake-up, which must come within the bounds.
func (s *script) waits(least, most time.Duration) {
	s.Helper()
	start, wake := s.due(s.now(), 0, 0)
	require.Empty(s.T, start)
	d := wake.Sub(s.now())
	require.GreaterOrEqual(s.T, d, least)
	require.LessOrEqual(s.T, d, most)
	s.after(d)
}

// tells requires who is reported as unreachable now.
func (s *script) tells(want ...peer.ID) {
	s.Helper()
	require.Equal(s.T, want, s.overdue(s.now()))
}

// isUp has a member connect, and be so for a minute.
func (s *script) isUp(t target) {
	s.Helper()
	s.after(tieBreak)
	s.starts(t)
	s.ends(t, string(t.id), nil)
	s.after(time.Minute)
}

// play plays scenarios, each with a plan of its own.
func play(t *testing.T, scenarios map[string]func(s *script)) {
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) { scenario(newScript(t)) })
	}
}
