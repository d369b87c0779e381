// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/leader"
)

// Origin says who brought a block.
type Origin string

// The origins of blocks. Whoever has the next block first brings it; nothing has to be set.
const (
	FromOrderer      Origin = "orderer"             // our own stream from the ordering service
	FromOrganization Origin = "own organization"    // a member of our organization, by announcement or on request
	FromOthers       Origin = "other organizations" // a member of another one
)

// Intake says where the channel's blocks come from.
type Intake struct {
	// Last is who brought the latest block, "" before the first.
	Last Origin
	// Of counts the latest blocks by who brought them: 100 of them at most.
	Of map[Origin]int
	// Why says why we pull from the ordering service ourselves, or do not.
	Why string
}

// recent is how many blocks an intake remembers.
const recent = 100

// intake remembers who brought the latest blocks. Its methods are safe for concurrent use.
type intake struct {
	mu     sync.Mutex // guards latest
	latest []Origin   // the oldest first
}

// came notes the next block.
func (i *intake) came(from Origin) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.latest) == recent {
		i.latest = i.latest[1:]
	}
	i.latest = append(i.latest, from)
}

// show returns a copy.
func (i *intake) show(why string) Intake {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := Intake{Of: make(map[Origin]int, 3), Why: why}
	for _, from := range i.latest {
		out.Of[from]++
		out.Last = from
	}
	return out
}

// origin is who a peer is to us; "" is our own source. Of somebody who has gone meanwhile nothing is known.
func (c *Channel) origin(from peer.ID) Origin {
	if from == "" {
		return FromOrderer
	}
	if m, ok := c.tracker.Find(from); ok && m.MSPID == c.node.MSPID() {
		return FromOrganization
	}
	return FromOthers
}

// why says why we pull from the ordering service, or do not.
func (c *Channel) why() string {
	switch {
	case c.puller == nil:
		return "this peer stands by and never pulls"
	case c.elector != nil:
		return string(c.elector.Decision().Reason)
	case c.leads():
		return "static leader"
	default:
		return string(leader.Barred)
	}
}
