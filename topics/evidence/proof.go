// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/topics/evidence/pb"
)

// Limits of a proof.
const (
	// MaxProof is the most bytes of a proof: a control message, a body and room for what is around them.
	MaxProof = 8 << 20
	// MaxBody is the biggest body that travels in a proof, in bytes. A bigger one is in the block, which every member has.
	MaxBody = 4 << 20
	// maxChannel is the longest channel ID that Fabric allows.
	maxChannel = 249
)

// Errors of proofs.
var (
	// ErrMalformed: the bytes are no proof, or outside a limit.
	ErrMalformed = errors.New("evidence: malformed proof")
	// ErrOtherConfig: the proof is to be judged by another configuration block.
	ErrOtherConfig = errors.New("evidence: other configuration")
	// ErrNoBody: the body of the block is not in the proof and has to be given.
	ErrNoBody = errors.New("evidence: the body of the block is needed")
	// ErrNotProven: the proof does not hold.
	ErrNotProven = errors.New("evidence: not proven")
)

// Kind is what a proof proves; it is a label of a metric.
type Kind string

// The kinds of evidence.
const (
	Fork              Kind = "fork"
	FalseAnnouncement Kind = "false_announcement"
)

// Proof is a claim in the form in which it travels and is kept. Nothing of it is verified. Immutable, safe for concurrent use.
type Proof struct {
	raw []byte
	m   *pb.Proof
}

// Place says which channel a proof is about, and by which configuration it is judged.
type Place struct {
	Channel string
	Genesis []byte // header hash of the genesis block
	Config  uint64 // number of the configuration block
	Found   time.Time
}

// Attestation is what orderers sign of a block: its header, with metadata entry 0.
type Attestation struct {
	Header     *common.BlockHeader
	Signatures []byte
}

// ProveFork makes the proof that two headers were signed. It verifies nothing. The error is ErrMalformed.
func ProveFork(at Place, a, b Attestation) (*Proof, error) {
	if string(block.HeaderHash(a.Header)) > string(block.HeaderHash(b.Header)) {
		a, b = b, a
	}
	m := at.message()
	m.Fork = &pb.Fork{First: a.message(), Second: b.message()}
	return encode(m)
}

// ProveFalse makes the proof that an announcement, a sealed control message with its whole record, does not describe the
// body, in canonical encoding; nil if the announcement carries it. It verifies nothing. The error is ErrMalformed.
func ProveFalse(at Place, message, body []byte) (*Proof, error) {
	if len(body) > MaxBody {
		body = nil
	}
	m := at.message()
	m.FalseAnnouncement = &pb.FalseAnnouncement{Message: message, Body: body}
	return encode(m)
}

func (at Place) message() *pb.Proof {
	return &pb.Proof{Channel: at.Channel, GenesisHash: at.Genesis, Config: at.Config, Found: at.Found.Unix()}
}

func (a Attestation) message() *pb.Attestation {
	h := a.Header
	return &pb.Attestation{Number: h.GetNumber(), PreviousHash: h.GetPreviousHash(), DataHash: h.GetDataHash(), Signatures: a.Signatures}
}

func attestation(m *pb.Attestation) Attestation {
	h := &common.BlockHeader{Number: m.GetNumber(), PreviousHash: m.GetPreviousHash(), DataHash: m.GetDataHash()}
	return Attestation{Header: h, Signatures: m.GetSignatures()}
}

func encode(m *pb.Proof) (*Proof, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return Decode(raw)
}

// Decode reads a proof of at most MaxProof bytes and holds it against the limits. The error is ErrMalformed.
func Decode(raw []byte) (*Proof, error) {
	if len(raw) > MaxProof {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(raw), MaxProof)
	}
	m := &pb.Proof{}
	if err := proto.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := check(m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return &Proof{raw: raw, m: m}, nil
}

func check(m *pb.Proof) error {
	fork, lie := m.GetFork(), m.GetFalseAnnouncement()
	switch {
	case m.Channel == "" || len(m.Channel) > maxChannel:
		return fmt.Errorf("channel ID of %d bytes, at most %d", len(m.Channel), maxChannel)
	case len(m.GenesisHash) != sha256.Size:
		return fmt.Errorf("genesis hash of %d bytes, want %d", len(m.GenesisHash), sha256.Size)
	case (fork == nil) == (lie == nil):
		return errors.New("neither a fork nor a false announcement, or both")
	case fork != nil:
		return errors.Join(checkAttestation(fork.GetFirst()), checkAttestation(fork.GetSecond()))
	case len(lie.Message) == 0 || len(lie.Message) > msp.MaxControl:
		return fmt.Errorf("control message of %d bytes, at most %d", len(lie.Message), msp.MaxControl)
	case len(lie.Body) > MaxBody:
		return fmt.Errorf("body of %d bytes, at most %d", len(lie.Body), MaxBody)
	}
	return nil
}

func checkAttestation(a *pb.Attestation) error {
	switch {
	case a.GetNumber() == 0:
		return errors.New("no header, or that of a genesis block, which nobody signs")
	case len(a.PreviousHash) != sha256.Size || len(a.DataHash) != sha256.Size:
		return fmt.Errorf("block %d: hashes of %d and %d bytes, want %d", a.Number, len(a.PreviousHash), len(a.DataHash), sha256.Size)
	case len(a.Signatures) > block.MaxSignaturesSize:
		return fmt.Errorf("block %d: metadata entry 0 of %d bytes, at most %d", a.Number, len(a.Signatures), block.MaxSignaturesSize)
	}
	return nil
}

// Bytes is the encoded proof. Read only.
func (p *Proof) Bytes() []byte { return p.raw }

// Kind is what the proof claims to prove.
func (p *Proof) Kind() Kind {
	if p.m.GetFork() != nil {
		return Fork
	}
	return FalseAnnouncement
}

// Place is what the proof says of where it belongs.
func (p *Proof) Place() Place {
	return Place{Channel: p.m.Channel, Genesis: p.m.GenesisHash, Config: p.m.Config, Found: time.Unix(p.m.Found, 0).UTC()}
}
