// SPDX-License-Identifier: Apache-2.0

package block

import (
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"
)

// Limits of metadata entry 0, the orderers' signatures. A raft block carries one signature of about 1 KB, a BFT block
// one of about 100 bytes for each of a quorum: both limits are far above any ordering service that is run.
const (
	MaxSignaturesSize = 256 << 10 // bytes of the whole entry
	MaxSignatures     = 256
)

// Positions in the metadata that orderers write; the others belong to peers.
const (
	entrySignatures = 0
	entryLastConfig = 1 // deprecated by Fabric, still written by orderers
)

// MetadataEntries is the number of metadata entries of a block as it leaves the orderer.
const MetadataEntries = 5

// ErrMetadata says that the metadata of a block cannot be decoded or is over a limit.
var ErrMetadata = errors.New("block: bad metadata")

// OrdererMetadata decodes metadata entry 0: the signed value with the signatures over it, and what the orderers wrote
// into the value. The second result is empty for blocks from before Fabric 1.4.1, whose value is empty. The error is
// ErrMetadata, also for an entry above MaxSignaturesSize or MaxSignatures.
func OrdererMetadata(md *common.BlockMetadata) (*common.Metadata, *common.OrdererBlockMetadata, error) {
	signed, err := DecodeSignatures(entry(md, entrySignatures))
	if err != nil {
		return nil, nil, err
	}
	orderer := &common.OrdererBlockMetadata{}
	if err := proto.Unmarshal(signed.GetValue(), orderer); err != nil {
		return nil, nil, fmt.Errorf("%w: signed value of entry 0: %w", ErrMetadata, err)
	}
	return signed, orderer, nil
}

// DecodeSignatures decodes metadata entry 0 alone, within the same limits. The result lies in entry0, which must not be
// changed any more.
func DecodeSignatures(entry0 []byte) (*common.Metadata, error) {
	if len(entry0) > MaxSignaturesSize {
		return nil, fmt.Errorf("%w: entry 0 has %d bytes, the limit is %d", ErrMetadata, len(entry0), MaxSignaturesSize)
	}
	if signed, ok := signaturesInPlace(entry0); ok {
		return signed, nil
	}
	signed := &common.Metadata{}
	if err := proto.Unmarshal(entry0, signed); err != nil {
		return nil, fmt.Errorf("%w: entry 0: %w", ErrMetadata, err)
	}
	if n := len(signed.GetSignatures()); n > MaxSignatures {
		return nil, fmt.Errorf("%w: %d signatures, the limit is %d", ErrMetadata, n, MaxSignatures)
	}
	return signed, nil
}

// LastConfig returns the number of the configuration block that was in force when the block was made; a configuration
// block names itself. It is the value that the orderers signed or, for blocks from before Fabric 1.4.1, entry 1. A
// genesis block names 0.
func LastConfig(b *common.Block) (uint64, error) {
	signed, orderer, err := OrdererMetadata(b.GetMetadata())
	if err != nil {
		return 0, err
	}
	if len(signed.GetValue()) > 0 {
		return orderer.GetLastConfig().GetIndex(), nil
	}
	return legacyLastConfig(entry(b.GetMetadata(), entryLastConfig))
}

func legacyLastConfig(entry1 []byte) (uint64, error) {
	if len(entry1) > MaxSignaturesSize { // it is signed like entry 0
		return 0, fmt.Errorf("%w: entry 1 has %d bytes, the limit is %d", ErrMetadata, len(entry1), MaxSignaturesSize)
	}
	md, lastConfig := &common.Metadata{}, &common.LastConfig{}
	if err := proto.Unmarshal(entry1, md); err != nil {
		return 0, fmt.Errorf("%w: entry 1: %w", ErrMetadata, err)
	}
	if err := proto.Unmarshal(md.GetValue(), lastConfig); err != nil {
		return 0, fmt.Errorf("%w: last config in entry 1: %w", ErrMetadata, err)
	}
	return lastConfig.GetIndex(), nil
}

// Normalize replaces the metadata of a block by what is vouched for: always five entries; entry 0 as it is, entry 1
// made again from LastConfig as an orderer makes it, entries 2 to 4 empty, because they are unsigned and a peer fills
// them at commit. Two copies of a block that differ in unsigned bytes only are equal afterwards. The old metadata
// message is replaced, not written to. The error is ErrMetadata; the block is then unchanged.
func Normalize(b *common.Block) error {
	if b == nil {
		return fmt.Errorf("%w: no block", ErrMetadata)
	}
	index, err := LastConfig(b)
	if err != nil {
		return err
	}
	value, err := proto.Marshal(&common.LastConfig{Index: index})
	if err != nil {
		return fmt.Errorf("encode last config %d: %w", index, err)
	}
	entry1, err := proto.Marshal(&common.Metadata{Value: value})
	if err != nil {
		return fmt.Errorf("encode last config %d: %w", index, err)
	}
	entry0 := entry(b.GetMetadata(), entrySignatures)
	b.Metadata = &common.BlockMetadata{Metadata: [][]byte{entry0, entry1, {}, {}, {}}}
	return nil
}

// entry returns one metadata entry, nil when the block has fewer.
func entry(md *common.BlockMetadata, index int) []byte {
	entries := md.GetMetadata()
	if index >= len(entries) {
		return nil
	}
	return entries[index]
}
