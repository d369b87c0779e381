// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp"
)

// VerifySignatures returns nil when the signatures in metadata entry 0 satisfy the channel's block validation policy for
// a header. It asks nothing about the block's place on the chain. The error is ErrMetadata or ErrSignatures.
//
// A signature covers the signed value of the entry, its own header as it lies on the wire, and the block header. Its
// signer is the creator in its signature header or, on a channel with capability V3_0, the consenter that its identifier
// header names. A header that does not decode fails the block; a signer that is not known is passed over.
func (b *Bundle) VerifySignatures(h *common.BlockHeader, entry0 []byte) error {
	proofs, err := b.proofs(h, entry0)
	if err != nil {
		return err
	}
	if err := b.evaluate(PolicyBlockValidation, proofs); err != nil {
		return fmt.Errorf("%w: block %d: %w", ErrSignatures, h.GetNumber(), err)
	}
	return nil
}

// Signers returns which ordering nodes have signed a header, each once, in the order of their signatures in metadata entry 0:
// the consenters of a BFT channel, else the valid members of ordering organizations. It does not ask whether they suffice.
// The error is ErrMetadata.
func (b *Bundle) Signers(h *common.BlockHeader, entry0 []byte) ([]*msp.Identity, error) {
	proofs, err := b.proofs(h, entry0)
	if err != nil {
		return nil, err
	}
	signed, _ := b.signers(proofs)
	var ids []*msp.Identity
	for _, s := range signed {
		if b.orders(s.id) && s.msp.Validate(s.id) == nil {
			ids = append(ids, s.id)
		}
	}
	return ids, nil
}

// orders says whether an identity is a consenter or, unless the channel is BFT, of an ordering organization.
func (b *Bundle) orders(id *msp.Identity) bool {
	if !b.bft() {
		return slices.ContainsFunc(b.ordererOrgs, func(o OrdererOrg) bool { return o.MSPID == id.MSPID() })
	}
	for _, consenter := range b.consenters {
		if consenter != nil && consenter.MSPID() == id.MSPID() && consenter.Digest() == id.Digest() {
			return true
		}
	}
	return false
}

// proofs are the signatures in metadata entry 0, each with what it has to cover.
func (b *Bundle) proofs(h *common.BlockHeader, entry0 []byte) ([]proof, error) {
	signed, err := block.DecodeSignatures(entry0)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", h.GetNumber(), err)
	}
	proofs := make([]proof, 0, len(signed.GetSignatures()))
	header := block.HeaderBytes(h)
	for i, s := range signed.GetSignatures() {
		p, err := b.proof(s)
		if err != nil {
			return nil, fmt.Errorf("%w: block %d: header of signature %d: %w", ErrMetadata, h.GetNumber(), i+1, err)
		}
		p.data = slices.Concat(signed.GetValue(), p.data, header)
		proofs = append(proofs, p)
	}
	return proofs, nil
}

// proof finds the signer of a block signature and leaves the signature's own header in data.
func (b *Bundle) proof(s *common.MetadataSignature) (proof, error) {
	if b.bft() && len(s.GetSignatureHeader()) == 0 && len(s.GetIdentifierHeader()) > 0 {
		return b.proofByIdentifier(s)
	}
	creator, err := block.Creator(s.GetSignatureHeader())
	if err != nil {
		return proof{}, err
	}
	id, err := b.creator(creator)
	return proof{signer: id, fault: err, data: s.GetSignatureHeader(), signature: s.GetSignature()}, nil
}

func (b *Bundle) proofByIdentifier(s *common.MetadataSignature) (proof, error) {
	header := &common.IdentifierHeader{}
	if err := proto.Unmarshal(s.GetIdentifierHeader(), header); err != nil {
		return proof{}, err
	}
	p := proof{data: s.GetIdentifierHeader(), signature: s.GetSignature()}
	id, known := b.consenters[header.GetIdentifier()]
	switch {
	case !known:
		p.fault = fmt.Errorf("there is no consenter with ID %d", header.GetIdentifier())
	case id == nil:
		p.fault = errors.New("the configuration has no valid identity of the consenter")
	}
	p.signer = id
	return p, nil
}
