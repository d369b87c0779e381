// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/weft-p2p/weft/internal/block"
)

// Verifier is a position on a chain. It judges the next block and moves on when it is told to. One goroutine.
type Verifier struct {
	bundle   *Bundle
	next     uint64
	previous []byte

	// The configuration in the block that was verified last, so that Advance does not parse it again.
	pending     *Bundle
	pendingHash []byte
}

// NewVerifier returns a verifier behind the block with header last, under the configuration in force there: behind a
// genesis block, its own bundle and header.
func NewVerifier(bundle *Bundle, last *common.BlockHeader) *Verifier {
	return &Verifier{bundle: bundle, next: last.GetNumber() + 1, previous: block.HeaderHash(last)}
}

// VerifierAt returns a verifier of block next and on, under the configuration in force there, behind the block whose header
// has the hash previous.
func VerifierAt(bundle *Bundle, next uint64, previous []byte) *Verifier {
	return &Verifier{bundle: bundle, next: next, previous: slices.Clone(previous)}
}

// Next returns the number of the block that Verify expects.
func (v *Verifier) Next() uint64 { return v.next }

// PreviousHash returns the hash of the last block's header, which the next block must name.
func (v *Verifier) PreviousHash() []byte { return slices.Clone(v.previous) }

// Bundle returns the configuration in force for the next block.
func (v *Verifier) Bundle() *Bundle { return v.bundle }

// Verify judges a whole block as the next one and does not move. It asks, in the order of Fabric's deliver client:
// number, previous hash, number of metadata entries, well-formed transactions, data hash, signatures; and of a
// configuration block, that it holds the configuration of this channel that follows ours. The error is one of ErrNumber,
// ErrPreviousHash, ErrMetadata, ErrMalformed, ErrDataHash, ErrSignatures and ErrConfig.
func (v *Verifier) Verify(b *common.Block) error {
	if err := v.checkPlace(b); err != nil { // before what costs more
		return err
	}
	return v.VerifyExamined(Examine(b, v.bundle))
}

// VerifyExamined is Verify of the block that was examined, with the same verdict. What depends on the configuration is
// examined again when another one is in force by now.
func (v *Verifier) VerifyExamined(e Examined) error {
	if err := v.checkPlace(e.block); err != nil {
		return err
	}
	if err := e.verdict(v.bundle); err != nil {
		return err
	}
	if !block.IsConfig(e.block) {
		return nil
	}
	following, err := v.bundle.following(e.block)
	if err != nil {
		return err
	}
	v.pending, v.pendingHash = following, block.HeaderHash(e.block.GetHeader())
	return nil
}

// VerifyAttestation judges header and signatures of a block as the next one and does not move. It does not look at the
// data, which an attestation does not carry.
func (v *Verifier) VerifyAttestation(b *common.Block) error {
	if err := v.checkPlace(b); err != nil {
		return err
	}
	return v.bundle.VerifySignatures(b.GetHeader(), b.GetMetadata().GetMetadata()[0])
}

// VerifyHeader judges a header and metadata entry 0 as those of the next block, as an announcement carries them, and does
// not move.
func (v *Verifier) VerifyHeader(h *common.BlockHeader, entry0 []byte) error {
	if err := v.checkHeader(h); err != nil {
		return err
	}
	return v.bundle.VerifySignatures(h, entry0)
}

// Advance moves behind a block that Verify has accepted as the next one, and takes its configuration when it is a
// configuration block. The error is ErrNumber, or ErrConfig for a configuration that does not follow ours; the verifier
// then stays where it is.
func (v *Verifier) Advance(b *common.Block) error {
	if n := b.GetHeader().GetNumber(); b.GetHeader() == nil || n != v.next {
		return fmt.Errorf("%w: block %d where %d is next", ErrNumber, n, v.next)
	}
	hash := block.HeaderHash(b.GetHeader())
	if block.IsConfig(b) {
		following, err := v.takePending(b, hash)
		if err != nil {
			return err
		}
		v.bundle = following
	}
	v.next++
	v.previous, v.pending, v.pendingHash = hash, nil, nil
	return nil
}

func (v *Verifier) takePending(b *common.Block, hash []byte) (*Bundle, error) {
	if v.pending != nil && bytes.Equal(v.pendingHash, hash) {
		return v.pending, nil
	}
	return v.bundle.following(b)
}

func (v *Verifier) checkPlace(b *common.Block) error {
	if b.GetHeader() == nil {
		return fmt.Errorf("%w: the block has no header", ErrMalformed)
	}
	if err := v.checkHeader(b.GetHeader()); err != nil {
		return err
	}
	if n := len(b.GetMetadata().GetMetadata()); n < block.MetadataEntries {
		return fmt.Errorf("%w: block %d has %d entries, it must have %d", ErrMetadata, v.next, n, block.MetadataEntries)
	}
	return nil
}

func (v *Verifier) checkHeader(h *common.BlockHeader) error {
	if h.GetNumber() != v.next {
		return fmt.Errorf("%w: block %d where %d is next", ErrNumber, h.GetNumber(), v.next)
	}
	if !bytes.Equal(h.GetPreviousHash(), v.previous) {
		return fmt.Errorf("%w: block %d names %s, the header of the block before it hashes to %x", ErrPreviousHash, v.next, shown(h.GetPreviousHash()), v.previous)
	}
	return nil
}

// shown prints what claims to be a hash, cut to the size of one.
func shown(hash []byte) string {
	if len(hash) <= 32 {
		return fmt.Sprintf("%x", hash)
	}
	return fmt.Sprintf("%x... (%d bytes)", hash[:32], len(hash))
}
