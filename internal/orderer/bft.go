// SPDX-License-Identifier: Apache-2.0

package orderer

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// consensusBFT is the consensus type of channels whose blocks a quorum of consenters signs.
const consensusBFT = "BFT"

// seal signs the next block as the configuration in force wants it.
func (o *Orderer) seal(b *common.Block) error {
	if o.Bundle().ConsensusType() == consensusBFT {
		return signBFT(b, o.head.lastConfig, o.cfg.Consenters)
	}
	return sign(b, o.head.lastConfig, o.signer.Load())
}

// accepted says whether peers under a configuration accept what we sign.
func accepted(bundle *channelconfig.Bundle, signer *msp.SigningIdentity, consenters map[uint32]*msp.SigningIdentity) error {
	if bundle.ConsensusType() != consensusBFT {
		return bundle.EvaluateIdentity(channelconfig.PolicyBlockValidation, signer.Identity)
	}
	trial := newBlock(&common.BlockHeader{}, nil)
	if err := signBFT(trial, 0, consenters); err != nil {
		return err
	}
	return bundle.VerifySignatures(trial.GetHeader(), trial.GetMetadata().GetMetadata()[0])
}

// quorum is how many of n consenters sign a block: Fabric's ceil((n+f+1)/2) with f = floor((n-1)/3).
func quorum(n int) int { return (n + (n-1)/3 + 2) / 2 }

// signBFT gives a block the metadata of a BFT orderer: like that of a Raft one, but the value holds a view, and a quorum of the consenters
// sign value, identifier header and block header, another quorum for each block.
func signBFT(b *common.Block, lastConfig uint64, consenters map[uint32]*msp.SigningIdentity) error {
	number := b.GetHeader().GetNumber()
	value, err := proto.Marshal(&common.OrdererBlockMetadata{
		LastConfig: &common.LastConfig{Index: lastConfig}, ConsenterMetadata: viewMetadata(number),
	})
	if err != nil {
		return err
	}
	md := &common.Metadata{Value: value}
	ids := slices.Sorted(maps.Keys(consenters))
	for i := range min(quorum(len(ids)), len(ids)) {
		id := ids[(int(number%uint64(len(ids)))+i)%len(ids)]
		s, err := consenterSignature(b.GetHeader(), value, id, consenters[id])
		if err != nil {
			return fmt.Errorf("sign block %d as consenter %d: %w", number, id, err)
		}
		md.Signatures = append(md.Signatures, s)
	}
	entry0, err := proto.Marshal(md)
	if err != nil {
		return err
	}
	b.Metadata = &common.BlockMetadata{Metadata: [][]byte{entry0}}
	return block.Normalize(b)
}

func consenterSignature(h *common.BlockHeader, value []byte, id uint32, signer *msp.SigningIdentity) (*common.MetadataSignature, error) {
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // never fails
	header, err := proto.Marshal(&common.IdentifierHeader{Identifier: id, Nonce: nonce})
	if err != nil {
		return nil, err
	}
	signature, err := signer.Sign(slices.Concat(value, header, block.HeaderBytes(h)))
	if err != nil {
		return nil, err
	}
	return &common.MetadataSignature{IdentifierHeader: header, Signature: signature}, nil
}

// viewMetadata is SmartBFT's ViewMetadata of view 0: latest_sequence (2) is the block's number, decisions_in_view (3) one less.
func viewMetadata(number uint64) []byte {
	md := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), number)
	return protowire.AppendVarint(protowire.AppendTag(md, 3, protowire.VarintType), max(number, 1)-1)
}
