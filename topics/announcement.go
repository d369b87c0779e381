// SPDX-License-Identifier: Apache-2.0

package topics

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/internal/leaves"
	"github.com/weft-p2p/weft/internal/parity"
	"github.com/weft-p2p/weft/topics/pb"
)

// Limits of an announcement.
const (
	// MaxInline is the biggest body that travels inside its announcement, in bytes. It is spread by gossip in several copies,
	// so only what costs less than the round trip of a request is worth it.
	MaxInline = 16 << 10
	// Inline is the biggest body that travels inside when members can be reached by the relay, in bytes: gossip carries five
	// copies of an announcement, the relay is as fast with one.
	Inline = 1 << 10
	// MaxBody is the biggest body that can be announced: Fabric's limit of a gRPC message.
	MaxBody = 100 << 20
	// MaxProtected is the biggest body that may have parity, in bytes.
	MaxProtected = parity.MaxBody
	// MaxSignatures and MaxSignatureBytes bound metadata entry 0: a consortium of 128 orderers signs with about 110 KiB.
	MaxSignatures     = 128
	MaxSignatureBytes = 128 << 10
	// MaxMessage is the longest message on any topic. It stays below gossipsub's default of 1 MiB for a whole RPC, because
	// pubsub drops what is longer without a word.
	MaxMessage = 1<<20 - 4<<10
)

// Purpose is the purpose under which announcements are signed (msp.Seal).
const Purpose = "announcement"

// ErrAnnouncement says that an announcement breaks a rule that no configuration could excuse.
var ErrAnnouncement = errors.New("topics: announcement")

// ErrFalse says that what an announcement tells of the body is not so: the announcer, who signed it, is at fault.
var ErrFalse = errors.New("topics: false announcement")

// Announcement is what is known of a block before its body: verifiable on its own.
type Announcement struct {
	Header     *common.BlockHeader
	Signatures []byte // metadata entry 0
	LastConfig uint64 // out of Signatures: the number of the configuration block it was signed under
	BodySize   int
	Root       [sha256.Size]byte
	Data       *common.BlockData // nil when the body does not travel inside
	Parity     parity.Sum        // what is relayed besides the body

	// Body is the canonical encoding of the body and Tree the tree over it; only at who announces it.
	Body []byte
	Tree *leaves.Tree
}

// Announce makes the announcement of b: its header, its signatures, the root of its body and, if small, the body itself.
func Announce(b *common.Block) (*Announcement, error) {
	if len(b.GetMetadata().GetMetadata()) == 0 {
		return nil, fmt.Errorf("%w: block %d has no metadata", ErrAnnouncement, b.GetHeader().GetNumber())
	}
	body, err := encodeBody(b.Data)
	if err != nil {
		return nil, err
	}
	tree := leaves.Build(body)
	a := &Announcement{
		Header: b.Header, Signatures: b.Metadata.Metadata[common.BlockMetadataIndex_SIGNATURES],
		BodySize: len(body), Root: tree.Root(), Body: body, Tree: tree,
	}
	if len(body) <= MaxInline {
		a.Data = b.Data
	}
	return a, a.check()
}

// Protect adds so many shards of parity to the announcement of a body that does not travel inside. It returns [parity.ErrCode]
// beyond the limits.
func (a *Announcement) Protect(shards int) (err error) {
	a.Parity, err = parity.Make(a.Body, shards)
	return err
}

// Block is the block that travels inside the announcement, nil if none does.
func (a *Announcement) Block() *common.Block {
	if a.Data == nil {
		return nil
	}
	b := &common.Block{Header: a.Header, Data: a.Data, Metadata: &common.BlockMetadata{Metadata: [][]byte{a.Signatures}}}
	if block.Normalize(b) != nil {
		return nil
	}
	return b
}

// Marshal encodes the announcement as content of a control message.
func (a *Announcement) Marshal() ([]byte, error) {
	m := &pb.Announcement{
		Number: a.Header.GetNumber(), PreviousHash: a.Header.GetPreviousHash(), DataHash: a.Header.GetDataHash(),
		Signatures: a.Signatures, BodySize: uint64(a.BodySize), Rule: leaves.Rule, Root: a.Root[:],
	}
	if a.Data != nil {
		var err error
		if m.Body, err = encodeBody(a.Data); err != nil {
			return nil, err
		}
	}
	if !a.Parity.None() {
		m.Parity, m.ParityRoot = uint32(a.Parity.Shards), a.Parity.Root[:]
	}
	return proto.Marshal(m)
}

// DecodeAnnouncement decodes the content of a control message and checks every rule that depends on no configuration. It
// returns [ErrAnnouncement] for what an honest announcer cannot have sent, and [ErrFalse] as well if all is in order but for
// the body inside.
func DecodeAnnouncement(content []byte) (*Announcement, error) {
	a, body, err := decode(content)
	if err != nil {
		return nil, err
	}
	if err := a.takeBody(body); err != nil {
		return nil, err
	}
	return a, nil
}

// DecodeHead is DecodeAnnouncement without the body inside, which it does not look at.
func DecodeHead(content []byte) (*Announcement, error) {
	a, _, err := decode(content)
	return a, err
}

func decode(content []byte) (*Announcement, []byte, error) {
	var m pb.Announcement
	if err := proto.Unmarshal(content, &m); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrAnnouncement, err)
	}
	if m.Rule != leaves.Rule || len(m.Root) != sha256.Size {
		return nil, nil, fmt.Errorf("%w: cutting rule %d with a root of %d bytes, want %d and %d", ErrAnnouncement, m.Rule, len(m.Root), leaves.Rule, sha256.Size)
	}
	if m.BodySize > MaxBody {
		return nil, nil, fmt.Errorf("%w: body of %d bytes, at most %d", ErrAnnouncement, m.BodySize, MaxBody)
	}
	a := &Announcement{
		Header:     &common.BlockHeader{Number: m.Number, PreviousHash: m.PreviousHash, DataHash: m.DataHash},
		Signatures: m.Signatures, BodySize: int(m.BodySize), Root: [sha256.Size]byte(m.Root),
	}
	if err := a.takeParity(&m); err != nil {
		return nil, nil, err
	}
	return a, m.Body, a.check()
}

// takeParity takes what is said of parity: a number and a root, or neither.
func (a *Announcement) takeParity(m *pb.Announcement) error {
	if m.Parity == 0 && len(m.ParityRoot) == 0 {
		return nil
	}
	if len(m.ParityRoot) != sha256.Size {
		return fmt.Errorf("%w: %d shards of parity with a root of %d bytes, want %d", ErrAnnouncement, m.Parity, len(m.ParityRoot), sha256.Size)
	}
	if _, err := parity.New(a.BodySize, int(m.Parity)); err != nil {
		return fmt.Errorf("%w: %w", ErrAnnouncement, err)
	}
	a.Parity = parity.Sum{Shards: int(m.Parity), Root: [sha256.Size]byte(m.ParityRoot)}
	return nil
}

// check holds the announcement against the limits and takes LastConfig out of the signatures.
func (a *Announcement) check() error {
	h := a.Header
	switch {
	case h.GetNumber() == 0:
		return fmt.Errorf("%w: of the genesis block, which nobody signs", ErrAnnouncement)
	case len(h.PreviousHash) != sha256.Size || len(h.DataHash) != sha256.Size:
		return fmt.Errorf("%w: block %d: hashes of %d and %d bytes", ErrAnnouncement, h.Number, len(h.PreviousHash), len(h.DataHash))
	case len(a.Signatures) > MaxSignatureBytes:
		return fmt.Errorf("%w: block %d: metadata entry 0 of %d bytes, at most %d", ErrAnnouncement, h.Number, len(a.Signatures), MaxSignatureBytes)
	case a.BodySize > MaxBody:
		return fmt.Errorf("%w: block %d: body of %d bytes, at most %d", ErrAnnouncement, h.Number, a.BodySize, MaxBody)
	}
	md, signed, err := block.OrdererMetadata(&common.BlockMetadata{Metadata: [][]byte{a.Signatures}})
	if err != nil {
		return fmt.Errorf("%w: block %d: %w", ErrAnnouncement, h.Number, err)
	}
	if len(md.Signatures) > MaxSignatures {
		return fmt.Errorf("%w: block %d: %d signatures, at most %d", ErrAnnouncement, h.Number, len(md.Signatures), MaxSignatures)
	}
	if a.LastConfig = signed.GetLastConfig().GetIndex(); a.LastConfig > h.Number {
		return fmt.Errorf("%w: block %d names the later block %d as its configuration", ErrAnnouncement, h.Number, a.LastConfig)
	}
	return nil
}

// takeBody takes the body that travels inside, which must be the one that the announcement and the header describe.
func (a *Announcement) takeBody(body []byte) error {
	if len(body) == 0 {
		return nil
	}
	if len(body) > MaxInline {
		return fmt.Errorf("%w: block %d: body inside of %d bytes, at most %d", ErrAnnouncement, a.Header.Number, len(body), MaxInline)
	}
	data, err := a.open(body)
	if err == nil {
		err = a.describes(body)
	}
	if err != nil {
		return fmt.Errorf("%w: %w: %w", ErrAnnouncement, ErrFalse, err)
	}
	a.Data = data
	return nil
}

// Check compares the announcement with the body of its block, in its canonical encoding. It returns [ErrFalse] if they do not
// fit, and [ErrAnnouncement] if the body is not that of the header, which says nothing about the announcer.
func (a *Announcement) Check(body []byte) error {
	if _, err := a.open(body); err != nil {
		return fmt.Errorf("%w: %w", ErrAnnouncement, err)
	}
	if err := a.describes(body); err != nil {
		return fmt.Errorf("%w: %w", ErrFalse, err)
	}
	return nil
}

// describes compares size and root with those of a body.
func (a *Announcement) describes(body []byte) error {
	if root := leaves.Root(body); len(body) != a.BodySize || root != a.Root {
		return fmt.Errorf("block %d: the announced body has %d bytes and root %x, the body %d and %x", a.Header.Number, a.BodySize, a.Root, len(body), root)
	}
	return nil
}

// open decodes a body, which must be that of the header: no other one in canonical encoding has its data hash. It takes body
// over.
func (a *Announcement) open(body []byte) (*common.BlockData, error) {
	data, ok := block.DecodeData(body)
	if !ok {
		return nil, fmt.Errorf("block %d: the body is not in its canonical encoding", a.Header.Number)
	}
	if !bytes.Equal(block.DataHash(data), a.Header.DataHash) {
		return nil, fmt.Errorf("block %d: the body is not that of the header", a.Header.Number)
	}
	if err := block.WellFormed(data); err != nil {
		return nil, fmt.Errorf("block %d: %w", a.Header.Number, err)
	}
	return data, nil
}

func encodeBody(d *common.BlockData) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(d)
}
