// SPDX-License-Identifier: Apache-2.0

package msp

import "sync"

// knownSeals is how many signatures of messages are remembered as good, the last half of them at least: as long as a network forms,
// its members hear every heartbeat from many others.
const knownSeals = 1024

// sealName names a signature and all that it signs, by the first half of a SHA-256.
type sealName [16]byte

// seals are those that were found good lately, in two halves, of which the older is dropped whole when the younger is full: 34 KiB at
// most, a fifth of what a list in the order of use takes. Safe for concurrent use.
type seals struct {
	mu           sync.Mutex // guards all below
	young, older map[sealName]struct{}
}

func (s *seals) has(d digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, young := s.young[sealName(d[:16])]
	_, older := s.older[sealName(d[:16])]
	return young || older
}

func (s *seals) add(d digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.young == nil || len(s.young) == knownSeals/2 {
		s.young, s.older = map[sealName]struct{}{}, s.young
	}
	s.young[sealName(d[:16])] = struct{}{}
}
