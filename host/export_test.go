// SPDX-License-Identifier: Apache-2.0

package host

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/msp"
)

// What tests in package host_test look at from the inside.
var (
	NewResources = newResources
	RankDials    = rankDials
)

// Bounds, for the table of the spec.
const (
	DefaultPeers = defaultPeers
	MaxTwins     = maxTwins
	Renewals     = renewals
)

// Table is the table of known peers, by itself.
type Table struct{ known *acquaintances }

func NewTable(limit int, connected func(peer.ID) bool) Table {
	return Table{newAcquaintances(limit, connected, func(peer.ID, *msp.Record, Result) {})}
}

// Learn keeps a record with a result, if there is room.
func (t Table) Learn(rec *msp.Record, res Result) {
	t.known.learn(rec.PeerID(), rec, func(*msp.Record) Result { return res })
}

func (t Table) Knows(rec *msp.Record) bool {
	kept, _ := t.known.find(rec.PeerID())
	return kept != nil
}

func (t Table) Len() int { return len(t.known.ids()) }

// Twin says whether a duplicate of the identity of a record is reported now.
func (t Table) Twin(rec *msp.Record) bool { return t.known.firstTwin(rec) }
