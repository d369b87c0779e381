// SPDX-License-Identifier: Apache-2.0

package orderer

import (
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/etcdraft"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp"
)

const nonceSize = 24

// newBlock returns the block after prev with the given transactions and no metadata.
func newBlock(prev *common.BlockHeader, data [][]byte) *common.Block {
	content := &common.BlockData{Data: data}
	return &common.Block{
		Header: &common.BlockHeader{Number: prev.GetNumber() + 1, PreviousHash: block.HeaderHash(prev), DataHash: block.DataHash(content)},
		Data:   content,
	}
}

// sign gives a block the metadata of a Raft orderer: five entries, the first one with a signature over the value (last configuration and
// Raft position), the signature header and the block header; the second is the unsigned legacy copy of the last configuration. Entries 2
// to 4 are empty: peers fill them.
func sign(b *common.Block, lastConfig uint64, signer *msp.SigningIdentity) error {
	value, err := metadataValue(b.GetHeader().GetNumber(), lastConfig)
	if err != nil {
		return err
	}
	header, err := signatureHeader(signer)
	if err != nil {
		return err
	}
	signature, err := signer.Sign(slices.Concat(value, header, block.HeaderBytes(b.GetHeader())))
	if err != nil {
		return fmt.Errorf("sign block %d: %w", b.GetHeader().GetNumber(), err)
	}
	entry0, err := proto.Marshal(&common.Metadata{
		Value:      value,
		Signatures: []*common.MetadataSignature{{SignatureHeader: header, Signature: signature}},
	})
	if err != nil {
		return err
	}
	b.Metadata = &common.BlockMetadata{Metadata: [][]byte{entry0}}
	return block.Normalize(b) // adds the other four
}

// metadataValue is what a Raft orderer signs beside the header. The consenter set is one node, and the Raft index follows the block number,
// because each block is one entry of the log after those that elected the leader.
func metadataValue(number, lastConfig uint64) ([]byte, error) {
	position, err := proto.Marshal(&etcdraft.BlockMetadata{ConsenterIds: []uint64{1}, NextConsenterId: 2, RaftIndex: number + 2})
	if err != nil {
		return nil, err
	}
	consenter, err := proto.Marshal(&common.Metadata{Value: position})
	if err != nil {
		return nil, err
	}
	return proto.Marshal(&common.OrdererBlockMetadata{
		LastConfig:        &common.LastConfig{Index: lastConfig},
		ConsenterMetadata: consenter,
	})
}

// configTransaction wraps a configuration the way the ordering service does: an envelope of its own of type CONFIG. It carries
// the update that a client asked for, or none.
func configTransaction(channel string, config *common.Config, update *common.Envelope, signer *msp.SigningIdentity) ([]byte, error) {
	content, err := proto.Marshal(&common.ConfigEnvelope{Config: config, LastUpdate: update})
	if err != nil {
		return nil, err
	}
	channelHeader, err := proto.Marshal(&common.ChannelHeader{
		Type:      int32(common.HeaderType_CONFIG),
		Version:   1,
		ChannelId: channel,
		Timestamp: timestamppb.Now(),
	})
	if err != nil {
		return nil, err
	}
	header, err := signatureHeader(signer)
	if err != nil {
		return nil, err
	}
	payload, err := proto.Marshal(&common.Payload{
		Header: &common.Header{ChannelHeader: channelHeader, SignatureHeader: header},
		Data:   content,
	})
	if err != nil {
		return nil, err
	}
	signature, err := signer.Sign(payload)
	if err != nil {
		return nil, fmt.Errorf("sign configuration: %w", err)
	}
	return proto.Marshal(&common.Envelope{Payload: payload, Signature: signature})
}

func signatureHeader(signer *msp.SigningIdentity) ([]byte, error) {
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // never fails
	return proto.Marshal(&common.SignatureHeader{Creator: signer.Serialize(), Nonce: nonce})
}
