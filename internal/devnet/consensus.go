// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/etcdraft"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer/smartbft"
	"google.golang.org/protobuf/proto"
)

// Consensus types of Fabric 3.
const (
	Raft = "etcdraft"
	BFT  = "BFT"
)

// Quorum is the number of consenters out of n whose signatures a BFT block carries: ceil((n+f+1)/2) with
// f = floor((n-1)/3) (inventory 3.5).
func Quorum(n int) int {
	f := (n - 1) / 3
	return (n + f + 2) / 2
}

// raft adds consensus type etcdraft, whose blocks any writer of an ordering organization validates.
func (b *groupBuilder) raft(orderers []OrderingNode) {
	metadata := &etcdraft.ConfigMetadata{Options: &etcdraft.Options{
		TickInterval:         "500ms",
		ElectionTick:         10,
		HeartbeatTick:        1,
		MaxInflightBlocks:    5,
		SnapshotIntervalSize: 16 << 20,
	}}
	for _, o := range orderers {
		host, port := b.address(o.Address)
		metadata.Consenters = append(metadata.Consenters, &etcdraft.Consenter{
			Host: host, Port: port, ClientTlsCert: o.TLSCert, ServerTlsCert: o.TLSCert,
		})
	}
	b.consensusType(Raft, metadata)
	b.implicit(blockValidation, writers, common.ImplicitMetaPolicy_ANY)
}

// bft adds consensus type BFT: the consenters with ids from 1, and a policy that demands a quorum of exactly these
// identities in this order, as configtxgen writes it.
func (b *groupBuilder) bft(orderers []OrderingNode) {
	var mapping []*common.Consenter
	var principals []*mspproto.MSPPrincipal
	for i, o := range orderers {
		host, port := b.address(o.Address)
		mapping = append(mapping, &common.Consenter{
			Id: uint32(i + 1), Host: host, Port: port, MspId: o.Org.MSPID,
			Identity: o.Identity, ClientTlsCert: o.TLSCert, ServerTlsCert: o.TLSCert,
		})
		principals = append(principals, &mspproto.MSPPrincipal{
			PrincipalClassification: mspproto.MSPPrincipal_IDENTITY,
			Principal:               b.encode(&mspproto.SerializedIdentity{Mspid: o.Org.MSPID, IdBytes: o.Identity}),
		})
	}
	b.consensusType(BFT, smartBFTOptions())
	b.value("Orderers", &common.Orderers{ConsenterMapping: mapping})
	b.signatures(blockValidation, Quorum(len(orderers)), principals)
}

func (b *groupBuilder) consensusType(name string, metadata proto.Message) {
	b.value(consensusKey, &orderer.ConsensusType{Type: name, Metadata: b.encode(metadata)})
}

func (b *groupBuilder) address(address string) (string, uint32) {
	host, port, err := splitAddress(address)
	b.fail(err)
	return host, uint32(port)
}

// smartBFTOptions are the values that Fabric's samples use.
func smartBFTOptions() *smartbft.Options {
	return &smartbft.Options{
		RequestBatchMaxInterval:   "200ms",
		IncomingMessageBufferSize: 200,
		RequestPoolSize:           400,
		RequestForwardTimeout:     "5s",
		RequestComplainTimeout:    "20s",
		RequestAutoRemoveTimeout:  "3m",
		ViewChangeResendInterval:  "5s",
		ViewChangeTimeout:         "20s",
		LeaderHeartbeatTimeout:    "1m",
		LeaderHeartbeatCount:      10,
		CollectTimeout:            "1s",
	}
}
