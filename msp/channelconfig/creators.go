// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"sync"

	"github.com/weft-p2p/weft/msp"
)

// maxCreators bounds the identities that a bundle remembers: more than an ordering service has nodes, and 2 MiB at most.
const maxCreators = 64

// creators remembers the creators of block signatures by the very bytes that name them: reading a certificate costs as
// much as checking a signature, and the same few nodes sign every block. Safe for concurrent use.
type creators struct {
	mu    sync.Mutex // guards known
	known map[string]*msp.Identity
}

// creator is msp.ParseCreator. Only identities that an organization of the channel vouches for are remembered, so that
// nobody else can fill the memory.
func (b *Bundle) creator(serialized []byte) (*msp.Identity, error) {
	if id := b.creators.find(serialized); id != nil {
		return id, nil
	}
	id, err := msp.ParseCreator(serialized)
	if err != nil {
		return nil, err
	}
	if m := b.MSP(id.MSPID()); m != nil && m.Validate(id) == nil {
		b.creators.add(id)
	}
	return id, nil
}

func (c *creators) find(serialized []byte) *msp.Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[string(serialized)]
}

func (c *creators) add(id *msp.Identity) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxCreators {
		clear(c.known)
	}
	c.known[string(id.Serialize())] = id
}
