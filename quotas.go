// SPDX-License-Identifier: Apache-2.0

package weft

import (
	"context"
	"errors"

	"github.com/libp2p/go-libp2p/core/peer"

	weftHost "github.com/weft-p2p/weft/host"
	"github.com/weft-p2p/weft/internal/fair"
	"github.com/weft-p2p/weft/msp"
)

// owner is whom a peer counts as, whatever host key it uses: its identity in its organization. False for who is no member,
// as far as we know.
func (n *Node) owner(id peer.ID) (fair.Owner, bool) {
	record, result := n.auth.Known(id)
	if result != weftHost.Verified {
		return fair.Owner{}, false
	}
	return ownerOf(record.Identity()), true
}

func ownerOf(id *msp.Identity) fair.Owner {
	key := id.Key()
	return fair.Owner{Org: id.MSPID(), Identity: string(key[:])}
}

// errBarred says that a peer is not to be connected at the moment.
var errBarred = errors.New("weft: peer is barred for breaking the protocols")

// ensure authenticates a peer that the keeper has connected, unless it is barred.
func (n *Node) ensure(ctx context.Context, id peer.ID) error {
	if n.accounts.Barred(id) {
		return errBarred
	}
	return n.auth.Ensure(ctx, id)
}

// barred hears of a peer that has broken the protocols too often: it is off our topics and weft's streams, and its connection
// is closed if the host is ours.
func (n *Node) barred(id peer.ID) {
	if n.guard != nil {
		n.guard.Recheck(n.host)
	}
	n.sever(id)
	n.carrier.Poke()
	if !n.ownsHost {
		return
	}
	if err := n.host.Network().ClosePeer(id); err != nil {
		n.log.Debug("connection of a barred peer not closed", "peer", id, "err", err)
	}
}
