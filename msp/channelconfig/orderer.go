// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp"
)

const endpointsValue = "Endpoints"

// ordererValues are the values of the orderer group.
type ordererValues struct {
	consensus    *orderer.ConsensusType
	batchSize    *orderer.BatchSize
	batchTimeout time.Duration
	consenters   *common.Orderers
}

func (p *parser) parseOrderer(root *common.ConfigGroup) error {
	g, ok := root.GetGroups()[LevelOrderer]
	if !ok {
		return fmt.Errorf("there is no group %s", pathOrderer)
	}
	v := &ordererValues{consensus: &orderer.ConsensusType{}, batchSize: &orderer.BatchSize{}, consenters: &common.Orderers{}}
	p.b.orderer = v
	var timeout orderer.BatchTimeout
	var capabilities common.Capabilities
	err := decodeValues(g, pathOrderer, map[string]proto.Message{
		"ConsensusType":       v.consensus,
		"BatchSize":           v.batchSize,
		"BatchTimeout":        &timeout,
		"Orderers":            v.consenters,
		"Capabilities":        &capabilities,
		"ChannelRestrictions": &orderer.ChannelRestrictions{},
		//lint:ignore SA1019 configurations made for Fabric 1.x still carry the value
		"KafkaBrokers": &orderer.KafkaBrokers{},
	})
	if err != nil {
		return err
	}
	p.b.capabilities[LevelOrderer] = capabilities.GetCapabilities()
	if err := checkBatchSize(v.batchSize); err != nil {
		return err
	}
	if v.batchTimeout, err = parseBatchTimeout(timeout.GetTimeout()); err != nil {
		return err
	}
	if p.b.bft() {
		p.b.consenters = identities(v.consenters.GetConsenterMapping())
	}
	return p.parseOrdererOrgs(g)
}

func checkBatchSize(s *orderer.BatchSize) error {
	switch {
	case s.GetMaxMessageCount() == 0:
		return errors.New("batch size: no maximum of messages")
	case s.GetAbsoluteMaxBytes() == 0:
		return errors.New("batch size: no absolute maximum of bytes")
	case s.GetPreferredMaxBytes() == 0:
		return errors.New("batch size: no preferred maximum of bytes")
	case s.GetPreferredMaxBytes() > s.GetAbsoluteMaxBytes():
		return fmt.Errorf("batch size: preferred maximum %d is above the absolute maximum %d", s.GetPreferredMaxBytes(), s.GetAbsoluteMaxBytes())
	}
	return nil
}

func parseBatchTimeout(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("batch timeout: %w", err)
	}
	if d <= 0 {
		return 0, fmt.Errorf("batch timeout %s is not positive", d)
	}
	return d, nil
}

func (p *parser) parseOrdererOrgs(g *common.ConfigGroup) error {
	for _, name := range slices.Sorted(maps.Keys(g.GetGroups())) {
		child, path := g.GetGroups()[name], pathOrderer+"/"+name
		if _, ok := child.GetValues()[endpointsValue]; ok && !p.b.orgEndpoints() {
			return fmt.Errorf("%s names endpoints, which needs channel capability V1_4_2", path)
		}
		var addresses common.OrdererAddresses
		m, err := p.organization(child, path, map[string]proto.Message{endpointsValue: &addresses})
		if err != nil {
			return err
		}
		if p.b.bft() && len(addresses.GetAddresses()) == 0 {
			return fmt.Errorf("%s names no endpoints, which capability V3_0 demands", path)
		}
		if m != nil {
			p.b.ordererOrgs = append(p.b.ordererOrgs, OrdererOrg{Name: name, MSPID: m.ID(), MSP: m, Endpoints: addresses.GetAddresses()})
		}
	}
	return nil
}

// identities parses who the consenters are. The first of two consenters with one ID counts; one whose identity cannot
// be parsed is kept as nil, and its signatures do not count.
func identities(consenters []*common.Consenter) map[uint32]*msp.Identity {
	known := make(map[uint32]*msp.Identity, len(consenters))
	for _, c := range consenters {
		if _, ok := known[c.GetId()]; ok {
			continue
		}
		known[c.GetId()] = nil
		serialized, err := proto.Marshal(&mspproto.SerializedIdentity{Mspid: c.GetMspId(), IdBytes: c.GetIdentity()})
		if err != nil {
			continue
		}
		if id, err := msp.ParseCreator(serialized); err == nil {
			known[c.GetId()] = id
		}
	}
	return known
}

// endpoints applies the rule that Bundle.Endpoints states.
func endpoints(orgs []OrdererOrg, global []string) (all []Endpoint) {
	var roots [][]byte
	for _, org := range orgs {
		for _, address := range org.Endpoints {
			all = append(all, Endpoint{Address: address, MSPID: org.MSPID, TLSRoots: org.MSP.TLSRoots()})
		}
		roots = append(roots, org.MSP.TLSRoots()...)
	}
	if len(all) > 0 {
		return all
	}
	for _, address := range global {
		all = append(all, Endpoint{Address: address, TLSRoots: roots})
	}
	return all
}
