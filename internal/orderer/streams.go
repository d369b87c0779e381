// SPDX-License-Identifier: Apache-2.0

package orderer

import "sync"

// streams counts open streams.
type streams struct {
	mu         sync.Mutex // guards open and most
	open, most int
	first      chan struct{} // closed when the first one opens
}

func newStreams() *streams { return &streams{first: make(chan struct{})} }

// enter counts one more until the returned function is called.
func (s *streams) enter() (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.most == 0 {
		close(s.first)
	}
	s.open++
	s.most = max(s.most, s.open)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
	}
}

func (s *streams) count() (open, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open, s.most
}
