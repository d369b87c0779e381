// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/weft-p2p/weft/msp"
)

// Member is a copy of what a view knows about one member.
type Member struct {
	ID       peer.ID
	MSPID    string
	Record   *msp.Record    // newest one heard; nil in a Change about somebody long gone
	Sequence uint64         // of the newest heartbeat, within Record's incarnation
	Addrs    []ma.Multiaddr // of both topics, without repetition, without /p2p
	State    ChannelState   // newest claim about the channel; zero in a view of an organization
	LastSeen time.Time      // when the newest heartbeat came, by the caller's clock
	Alive    bool
	Visible  bool // heard on the channel's own topic, so other organizations see it as well
}

// AddrInfo is what a dialer needs.
func (m Member) AddrInfo() peer.AddrInfo { return peer.AddrInfo{ID: m.ID, Addrs: m.Addrs} }

// Kind says what an event did to a member.
type Kind int

// Joined to Purged are changes that somebody may want to act on.
const (
	None     Kind = iota // nothing happened
	Joined               // a new member, alive
	Returned             // it was dead and is alive again, or it was started again
	Updated              // alive or dead as before, with another record, state or addresses
	Advanced             // alive as before, and nothing is other than its blocks: ChannelState.Height and HeadHash
	Died                 // silent for too long, or unreachable
	Left                 // it said goodbye
	Purged               // forgotten: dead for too long, refused, or displaced
	// The rest is what else Observe can answer.
	Refreshed // a newer heartbeat that says the same: the member goes on living
	Equal     // this very heartbeat is known
	Older     // a newer one is known
	Absent    // a goodbye of somebody who was not here
	Own       // our own heartbeat came back
	Full      // no place left for the sender: see Limits
)

var kinds = [...]string{
	"none", "joined", "returned", "updated", "advanced", "died", "left", "purged",
	"refreshed", "equal", "older", "absent", "own", "full",
}

func (k Kind) String() string {
	if k < 0 || int(k) >= len(kinds) {
		return fmt.Sprintf("kind(%d)", int(k))
	}
	return kinds[k]
}

// Changed reports whether the view looks different than before.
func (k Kind) Changed() bool { return k >= Joined && k <= Purged }

// Arrived reports whether somebody is here who may know nobody yet.
func (k Kind) Arrived() bool { return k == Joined || k == Returned }

// Fresh reports whether a heartbeat brought anything that was not known, so
// that it is worth passing on. The others are duplicates or late.
func (k Kind) Fresh() bool { return k.Changed() || k == Refreshed || k == Absent }

// Change is one thing that happened in a view. Member is as it is after the
// change, or as it was when it is gone.
type Change struct {
	Kind   Kind
	Member Member
	// Displaced is the member that lost its place to Member, if there is one.
	Displaced *Member
}
