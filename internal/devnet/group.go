// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"fmt"
	"net"
	"strconv"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
)

// Keys of values and groups in a channel configuration (inventory 3.9).
const (
	applicationGroup = "Application"
	ordererGroup     = "Orderer"

	mspKey          = "MSP"
	anchorsKey      = "AnchorPeers"
	endpointsKey    = "Endpoints"
	capabilitiesKey = "Capabilities"
	batchSizeKey    = "BatchSize"
	batchTimeoutKey = "BatchTimeout"
	consensusKey    = "ConsensusType"
)

// OrgGroup returns the group of an application organization with its MSP, its anchor peers (host:port, none allowed) and
// the four policies of Fabric's samples: Readers, Writers, Admins and Endorsement by node role, or any member without NodeOUs.
func OrgGroup(org *Org, anchors ...string) (*common.ConfigGroup, error) {
	b := newGroup()
	b.msp(org)
	if org.admin != nil {
		b.anyRole(readers, org.MSPID, mspproto.MSPRole_MEMBER)
		b.anyRole(writers, org.MSPID, mspproto.MSPRole_MEMBER)
		b.anyRole(admins, org.MSPID, mspproto.MSPRole_ADMIN)
		b.anyRole(endorsement, org.MSPID, mspproto.MSPRole_MEMBER)
		b.anchors(anchors)
		return b.result()
	}
	b.anyRole(readers, org.MSPID, mspproto.MSPRole_ADMIN, mspproto.MSPRole_PEER, mspproto.MSPRole_CLIENT)
	b.anyRole(writers, org.MSPID, mspproto.MSPRole_ADMIN, mspproto.MSPRole_CLIENT)
	b.anyRole(admins, org.MSPID, mspproto.MSPRole_ADMIN)
	b.anyRole(endorsement, org.MSPID, mspproto.MSPRole_PEER)
	b.anchors(anchors)
	return b.result()
}

// OrdererOrgGroup returns the group of an ordering organization with its MSP, its endpoints (host:port) and policies:
// every member reads and writes, administrators administer.
func OrdererOrgGroup(org *Org, endpoints ...string) (*common.ConfigGroup, error) {
	b := newGroup()
	b.msp(org)
	b.anyRole(readers, org.MSPID, mspproto.MSPRole_MEMBER)
	b.anyRole(writers, org.MSPID, mspproto.MSPRole_MEMBER)
	b.anyRole(admins, org.MSPID, mspproto.MSPRole_ADMIN)
	b.value(endpointsKey, &common.OrdererAddresses{Addresses: endpoints})
	return b.result()
}

// msp adds the MSP value: type 0, an X.509 MSP.
func (b *groupBuilder) msp(org *Org) {
	b.value(mspKey, &mspproto.MSPConfig{Config: b.encode(org.MSPConfig())})
}

// anchors adds the anchor peers; without any there is no such value.
func (b *groupBuilder) anchors(addresses []string) {
	if len(addresses) == 0 {
		return
	}
	peers := &peer.AnchorPeers{}
	for _, address := range addresses {
		host, port, err := splitAddress(address)
		b.fail(err)
		peers.AnchorPeers = append(peers.AnchorPeers, &peer.AnchorPeer{Host: host, Port: int32(port)})
	}
	b.value(anchorsKey, peers)
}

func (b *groupBuilder) capability(name string) {
	b.value(capabilitiesKey, &common.Capabilities{Capabilities: map[string]*common.Capability{name: {}}})
}

// encode marshals deterministically, so that the same configuration has the same bytes.
func encode(m proto.Message) ([]byte, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return raw, nil
}

func splitAddress(address string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("%w: address %q: %w", ErrChannel, address, err)
	}
	number, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("%w: address %q: %w", ErrChannel, address, err)
	}
	return host, uint16(number), nil
}
