// SPDX-License-Identifier: Apache-2.0

package host

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// surplusTime is how long a connection to such a member lives on. Views of a network settle within seconds after somebody came or
// went; a member whose view still differs then, and that dials us again, costs one handshake in this time.
const surplusTime = 20 * time.Second

// surplus are members that need no connection to us: who is one, and since when it is connected all the same. It is pure, and belongs
// to one goroutine.
type surplus struct {
	ids   map[peer.ID]struct{}
	since map[peer.ID]time.Time
}

// set says who they are, in place of the last call.
func (s *surplus) set(now time.Time, ids map[peer.ID]struct{}, linked func(peer.ID) bool) {
	s.ids = ids
	for id := range s.since {
		if !s.has(id) {
			delete(s.since, id)
		}
	}
	for id := range ids {
		if linked(id) {
			s.connected(now, id)
		}
	}
}

func (s *surplus) has(id peer.ID) bool {
	_, ok := s.ids[id]
	return ok
}

// connected tells of a connection.
func (s *surplus) connected(now time.Time, id peer.ID) {
	if s.since == nil {
		s.since = map[peer.ID]time.Time{}
	}
	if _, twice := s.since[id]; !twice && s.has(id) {
		s.since[id] = now
	}
}

// disconnected tells that the last connection to a peer ended.
func (s *surplus) disconnected(id peer.ID) { delete(s.since, id) }

// due returns whose connections to close now, each once, and when to ask again; zero: not before something happens.
func (s *surplus) due(now time.Time) (ids []peer.ID, wake time.Time) {
	for id, since := range s.since {
		if at := since.Add(surplusTime); at.After(now) {
			wake = sooner(wake, at)
			continue
		}
		delete(s.since, id)
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, wake
}
