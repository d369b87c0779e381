// SPDX-License-Identifier: Apache-2.0

package membership

import "github.com/libp2p/go-libp2p/core/peer"

// Members is View.Members under the lock; so are the other queries.
func (t *Tracker) Members() []Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.view.Members()
}

// Alive returns the living: see View.Alive.
func (t *Tracker) Alive() []Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.view.Alive()
}

// AtOrAbove returns the living that claim a height: see View.AtOrAbove.
func (t *Tracker) AtOrAbove(height uint64) []Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.view.AtOrAbove(height)
}

// MostHave reports whether most claim a height: see View.MostHave.
func (t *Tracker) MostHave(height uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.view.MostHave(height)
}

// Highest returns the greatest claimed height: see View.Highest.
func (t *Tracker) Highest() (peer.ID, uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.view.Highest()
}

// Find returns one member: see View.Find.
func (t *Tracker) Find(id peer.ID) (Member, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.view.Find(id)
}

// Count returns how many live and how many are known: see View.Count.
func (t *Tracker) Count() (living, known int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.view.Count()
}
