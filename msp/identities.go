// SPDX-License-Identifier: Apache-2.0

package msp

import "sync"

// identities remembers the identities that policies name, by their very bytes: a BFT channel's policy for blocks names
// every ordering node, and is asked about every pair of a signer and a node. Safe for concurrent use.
type identities struct {
	mu    sync.Mutex // guards known
	known map[string]*Identity
}

// parse is ParseCreator. At most as many results as an MSP remembers of members are kept.
func (k *identities) parse(principal []byte) (*Identity, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if id := k.known[string(principal)]; id != nil {
		return id, nil
	}
	id, err := ParseCreator(principal)
	if err != nil {
		return nil, err
	}
	if k.known == nil || len(k.known) >= validated {
		k.known = make(map[string]*Identity)
	}
	k.known[string(principal)] = id
	return id, nil
}
