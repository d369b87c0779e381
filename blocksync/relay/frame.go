// SPDX-License-Identifier: Apache-2.0

package relay

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weft-p2p/weft/internal/grid"
)

// Ref names an announced body on the wire: the first bytes of SHA-256 over the block's number and the body's size, 8 bytes
// big-endian each, and the root. Bodies of two blocks may be alike; whoever announces a true root with a wrong size must not
// make true pieces look forged; and nobody may find two announcements with one name, or relays that serve the one would be
// blamed by who holds the other.
type Ref [16]byte

// RefOf is the name of the body of a block with a root and a size in bytes.
func RefOf(number uint64, root [sha256.Size]byte, size int) Ref {
	named := binary.BigEndian.AppendUint64(nil, number)
	named = binary.BigEndian.AppendUint64(named, uint64(size))
	sum := sha256.Sum256(append(named, root[:]...))
	return Ref(sum[:16])
}

// String is the name in hexadecimal.
func (r Ref) String() string { return hex.EncodeToString(r[:]) }

// Short names a member on the wire: members' views differ, so that no position in them could. Two members with one name
// cost a copy.
type Short uint64

// ShortOf is the name of a member.
func ShortOf(id peer.ID) Short { return Short(grid.Point(id)) }

// Kind says what a frame is for.
type Kind byte

// The kinds of frames.
const (
	Announce Kind = iota + 1 // Data is a sealed announcement, Proof the crown of the body's tree; to be passed on to Targets
	Want                     // Missing is overdue, Have is here; no Missing: the announcement or the crown is missing
	Cancel                   // do not send Missing to Targets any more; without any, to who says so
	Done                     // all is here; Missing came late; Have were asked for as the last, or would have been without parity; Probed: the probe was here by then
	Unready                  // I cannot judge the announcement yet and forward nothing
	Piece                    // Data are the leaves First to First+Count-1
	Tail                     // nothing: whoever is to relay pieces has been sent all of them
)

// Mode says what the receiver of a piece does with it besides keeping it.
type Mode byte

// The modes of pieces.
const (
	Final     Mode = iota // nothing, or passes it on to the few in Targets
	Relay                 // forwards it to all other members
	Targeted              // forwards it to Targets: a repair
	Probe                 // forwards it to all as Probed: the source wonders whether this relay is well again
	Probed                // reports that it came
	WithinOrg             // forwards it to the hidden members of its organization
	IntoOrg               // forwards it to all of its organization, to the visible members, or Targets in their place, as Housed
	Housed                // as Final, and the hidden members of its organization get it from another

	// Along and the numbers above, up to grid.MaxBits more: forwards it, piece or announcement, along its row, which so many
	// bits name.
	Along Mode = 16
)

// alongRow says whether it is Along.
func (m Mode) alongRow() bool { return m >= Along && m <= Along+grid.MaxBits }

func (m Mode) known() bool { return m <= Housed || m.alongRow() }

// forwarded says whether only an announcer of the block may ask for this.
func (m Mode) forwarded() bool { return m == Relay || m == Targeted || m == Probe }

// Frame is a message between two members. It is not changed once it was made: queues share it.
type Frame struct {
	Kind         Kind
	Ref          Ref
	Mode         Mode
	Probed       bool
	First, Count int
	Missing      Bitmap
	Have         Bitmap
	Targets      []Short
	Proof        []byte
	Data         []byte
}

// own is a copy of the frame that has nothing in common with what it was decoded from.
func (f *Frame) own() *Frame {
	g := *f
	g.Proof, g.Data = slices.Clone(f.Proof), slices.Clone(f.Data)
	return &g
}

// Size is about how many bytes the frame takes on the wire.
func (f *Frame) Size() int {
	return 28 + 8*(len(f.Missing)+len(f.Have)+len(f.Targets)) + len(f.Proof) + len(f.Data)
}
