// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/block"
	"github.com/weft-p2p/weft/msp/channelconfig"
)

// form is how an RPC shapes its answers, and whom it answers. Under HEADER_WITH_SIG config blocks keep their data (Fabric's rule).
type form struct {
	policy func(*channelconfig.Bundle) string // that a reader must satisfy
	status func(common.Status) proto.Message
	block  func(item) (message any, err error)
}

// item is a block to be sent.
type item struct {
	channel string
	number  uint64
	raw     []byte
	headers bool    // HEADER_WITH_SIG
	buffer  *buffer // that raw may lie in

	block.Parts // of raw
}

func (i item) whole() bool { return !i.headers || i.IsConfig() }

// shape makes the message with a block. It fails unless that is the one that is due, with a header, whatever the ledger has returned: a
// stock peer dies of a block without one.
func (f form) shape(i item) (message any, err error) {
	if i.Parts, err = block.Split(i.raw); err != nil {
		return nil, err
	}
	if got := i.Header.GetNumber(); got != i.number {
		return nil, fmt.Errorf("it has number %d", got)
	}
	return f.block(i)
}

// fromOrderer is orderer.AtomicBroadcast/Deliver: blocks as the orderers made them.
var fromOrderer = form{
	policy: ordererReaders,
	status: func(s common.Status) proto.Message {
		return &orderer.DeliverResponse{Type: &orderer.DeliverResponse_Status{Status: s}}
	},
	block: func(i item) (any, error) {
		if !i.whole() {
			return response(mem.SliceBuffer(i.RawHeader), mem.SliceBuffer(i.RawMetadata)), nil
		}
		return response(i.buffer.part(i.raw)), nil
	},
}

// fromPeer is protos.Deliver/Deliver: blocks with validation codes.
var fromPeer = form{
	policy: acl("event/Block"),
	status: peerStatus,
	block: func(i item) (any, error) {
		metadata, err := withCodes(i.Parts)
		if err != nil {
			return nil, err
		}
		if !i.whole() {
			return response(mem.SliceBuffer(i.RawHeader), mem.SliceBuffer(metadata)), nil
		}
		return response(mem.SliceBuffer(i.RawHeader), mem.SliceBuffer(i.RawData), mem.SliceBuffer(metadata)), nil
	},
}

// fromPeerFiltered is protos.Deliver/DeliverFiltered: what clients want to know of each transaction.
var fromPeerFiltered = form{
	policy: acl("event/FilteredBlock"),
	status: peerStatus,
	block: func(i item) (any, error) {
		filtered, err := filter(i.channel, i.Parts)
		if err != nil {
			return nil, err
		}
		return &peer.DeliverResponse{Type: &peer.DeliverResponse_FilteredBlock{FilteredBlock: filtered}}, nil
	},
}

// ordererReaders is the policy of an orderer: its own organizations' while it is in maintenance, as orderers do it. So a peer that pulls
// here sees what it would see there.
func ordererReaders(b *channelconfig.Bundle) string {
	if b.Maintenance() {
		return channelconfig.PolicyOrdererReaders
	}
	return channelconfig.PolicyReaders
}

// acl is the policy of a peer's resource. The default is Fabric's.
func acl(resource string) func(*channelconfig.Bundle) string {
	return func(b *channelconfig.Bundle) string { return b.ACL(resource, channelconfig.PolicyApplicationReaders) }
}

func peerStatus(s common.Status) proto.Message {
	return &peer.DeliverResponse{Type: &peer.DeliverResponse_Status{Status: s}}
}

// withCodes returns the metadata of a block, as a field with its tag, with a validation code for each transaction in entry 2.
func withCodes(b block.Parts) ([]byte, error) {
	txs, err := b.Transactions()
	if err != nil {
		return nil, err
	}
	metadata := &common.BlockMetadata{}
	if err := proto.Unmarshal(b.Metadata, metadata); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	for len(metadata.Metadata) < block.MetadataEntries {
		metadata.Metadata = append(metadata.Metadata, nil)
	}
	metadata.Metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] = validationCodes(metadata, txs)
	raw, err := proto.Marshal(&common.Block{Metadata: metadata})
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	return raw, nil
}

// validationCodes returns a validation code for each transaction: those of the ledger, if it has any; else VALID for a configuration, which is in
// force here, and NOT_VALIDATED for anything else, because weft executes nothing and cannot know.
func validationCodes(metadata *common.BlockMetadata, txs [][]byte) []byte {
	entries := metadata.GetMetadata()
	if at := int(common.BlockMetadataIndex_TRANSACTIONS_FILTER); at < len(entries) && len(entries[at]) == len(txs) {
		return entries[at]
	}
	code := byte(peer.TxValidationCode_NOT_VALIDATED)
	if block.HasConfig(txs) {
		code = byte(peer.TxValidationCode_VALID)
	}
	return slices.Repeat([]byte{code}, len(txs))
}
