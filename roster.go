// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"context"
	"path/filepath"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/roster"
	"github.com/weft-p2p/weft/membership"
)

const (
	// rosterFile is where a node keeps its roster, below the data directory.
	rosterFile = "members"
	// rosterEvery is how often a node looks whether its roster has changed, and rosterStale how old one on disk becomes that has not.
	rosterEvery, rosterStale = 30 * time.Second, time.Hour
	// rosterOwn is how many members of our own organization are kept at most: it may be cut off from the others, or they from it.
	rosterOwn = roster.MaxEntries / 2
)

// recallMembers are the members that were there when the node ran last. A roster that cannot be read is done without.
func (n *Node) recallMembers() []roster.Entry {
	if n.dataDir == "" {
		return nil
	}
	entries, err := roster.Read(filepath.Join(n.dataDir, rosterFile), now())
	if err != nil {
		n.log.Warn("the list of the members that were there before is left out; it will be made again", "err", err)
	}
	return entries
}

// rememberMembers keeps on disk where members are, until ctx ends.
func (n *Node) rememberMembers(ctx context.Context) error {
	if n.dataDir == "" {
		return nil
	}
	r := remembering{Node: n, path: filepath.Join(n.dataDir, rosterFile), entries: n.recalled}
	ticker := time.NewTicker(rosterEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			r.keep()
			return nil
		case <-ticker.C:
			r.keep()
		}
	}
}

// remembering is one run of rememberMembers.
type remembering struct {
	*Node
	path    string
	entries []roster.Entry
	wrote   time.Time
	broken  bool // it cannot be written, and that was said
}

// keep takes in who is there now.
func (r *remembering) keep() {
	next := roster.Merge(r.present(), r.entries, now())
	if roster.Same(next, r.entries) && now().Sub(r.wrote) < rosterStale {
		return
	}
	r.entries = next
	r.keeper.Remember(roster.Dials(next))
	err := roster.Write(r.path, next)
	if err != nil && !r.broken {
		r.log.Warn("the list of members is not kept: after a restart bootstrap and anchor addresses alone lead to them", "file", r.path, "err", err)
	}
	r.broken, r.wrote = err != nil, now()
}

// present are members that live, some of our own organization and some of others.
func (r *remembering) present() (entries []roster.Entry) {
	views := [][]membership.Member{r.org.tracker.Alive()}
	for _, c := range r.Channels() {
		views = append(views, c.tracker.Alive())
	}
	named, own := map[peer.ID]bool{}, 0
	for _, view := range views {
		for _, m := range view {
			ours := m.MSPID == r.MSPID()
			if named[m.ID] || ours && own == rosterOwn {
				continue
			}
			if named[m.ID] = true; ours {
				own++
			}
			entries = append(entries, roster.Entry{Seen: m.LastSeen, AddrInfo: m.AddrInfo()})
		}
	}
	return entries
}
