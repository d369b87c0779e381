// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"
)

var _ routing.PeerRouting = (*Routing)(nil)

// Finder returns the addresses of a member. It may block until ctx ends, and returns routing.ErrNotFound for a peer that
// it does not know. It must be safe for concurrent use.
type Finder func(ctx context.Context, id peer.ID) (peer.AddrInfo, error)

// Routing is a libp2p peer routing whose answers come from a finder that is given later: a host needs its routing when it
// is built, and the membership view that answers is built on the host. Safe for concurrent use; the zero value finds nobody.
type Routing struct {
	finder atomic.Pointer[Finder]
}

// Set puts a finder in place of the last one. Nil finds nobody.
func (r *Routing) Set(find func(ctx context.Context, id peer.ID) (peer.AddrInfo, error)) {
	if find == nil {
		r.finder.Store(nil)
		return
	}
	f := Finder(find)
	r.finder.Store(&f)
}

// FindPeer asks the finder; without one it returns routing.ErrNotFound.
func (r *Routing) FindPeer(ctx context.Context, id peer.ID) (peer.AddrInfo, error) {
	f := r.finder.Load()
	if f == nil {
		return peer.AddrInfo{}, routing.ErrNotFound
	}
	return (*f)(ctx, id)
}
