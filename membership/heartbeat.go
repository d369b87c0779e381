// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"bytes"
	"cmp"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/weft-p2p/weft/msp"
)

// Purpose is the purpose under which heartbeats are sealed (msp.Seal).
const Purpose = "heartbeat"

// Limits of one heartbeat. They bound what a hostile member makes us keep.
const (
	MaxContent  = 64 << 10                           // bytes; the widest legal content has 53 KiB
	MaxMessage  = MaxContent + msp.MaxRecord + 1<<10 // bytes of a sealed heartbeat, with its record and signature
	MaxAddrs    = 16                                 // a host with more interfaces than that picks the best
	MaxAddrSize = 256                                // bytes; a relay address with two peer IDs has about 150
	MaxChannels = 256                                // channels of one node
	MaxScope    = 128                                // bytes; a topic name has 40
	hashSize    = 32                                 // SHA-256
)

// Heartbeat is one sign of life of a member. It is immutable once decoded.
type Heartbeat struct {
	Record   *msp.Record    // who: host key, MSP identity, incarnation
	Sequence uint64         // at least 1, strictly increasing within an incarnation
	Addrs    []ma.Multiaddr // where it can be dialed, without the /p2p part
	Channels []ChannelState // on a channel's topic that channel alone
	Leaving  bool           // the last one: the member goes
}

// ChannelState is what a member claims about its copy of one channel.
type ChannelState struct {
	Scope    string // topic name of the channel
	Height   uint64 // number of blocks it has
	HeadHash []byte // header hash of block Height-1; empty at height 0
	Config   uint64 // number of the config block in force
	Leader   bool   // it pulls the channel from the ordering service
}

// For returns what the heartbeat says about the channel whose topic is scope.
func (h Heartbeat) For(scope string) (ChannelState, bool) {
	for _, state := range h.Channels {
		if state.Scope == scope {
			return state, true
		}
	}
	return ChannelState{}, false
}

func (h Heartbeat) position() position {
	return position{h.Record.Incarnation(), h.Sequence}
}

func (s ChannelState) equal(o ChannelState) bool {
	return s.Scope == o.Scope && s.Height == o.Height && s.Config == o.Config &&
		s.Leader == o.Leader && bytes.Equal(s.HeadHash, o.HeadHash)
}

// standing is what a state says besides the blocks that there are.
func (s ChannelState) standing() standing { return standing{s.Scope, s.Config, s.Leader} }

type standing struct {
	scope  string
	config uint64
	leader bool
}

func (s ChannelState) clone() ChannelState {
	s.HeadHash = bytes.Clone(s.HeadHash)
	return s
}

// position orders the heartbeats of one member, as Fabric's PeerTime does:
// first by incarnation, then by sequence.
type position struct{ incarnation, sequence uint64 }

func (p position) compare(o position) int {
	return cmp.Or(cmp.Compare(p.incarnation, o.incarnation), cmp.Compare(p.sequence, o.sequence))
}

func (p position) after(o position) bool { return p.compare(o) > 0 }
