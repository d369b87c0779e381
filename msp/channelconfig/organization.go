// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp"
)

// Types of an MSP configuration.
const (
	typeX509   = 0
	typeIdemix = 1
)

// definition is how an MSP was defined at its first occurrence.
type definition struct {
	raw []byte
	msp *msp.MSP
}

func (p *parser) parseApplication(root *common.ConfigGroup) error {
	g, ok := root.GetGroups()[LevelApplication]
	if !ok {
		return fmt.Errorf("there is no group %s", pathApplication)
	}
	var acls peer.ACLs
	var capabilities common.Capabilities
	if err := decodeValues(g, pathApplication, map[string]proto.Message{"ACLs": &acls, "Capabilities": &capabilities}); err != nil {
		return err
	}
	p.b.capabilities[LevelApplication] = capabilities.GetCapabilities()
	p.b.acls = acls.GetAcls()
	if _, ok := g.GetValues()["ACLs"]; ok && !p.b.aclsAllowed() {
		return fmt.Errorf("%s has ACLs, which need application capability V1_2", pathApplication)
	}
	for _, name := range slices.Sorted(maps.Keys(g.GetGroups())) {
		if err := p.parseOrg(name, g.GetGroups()[name]); err != nil {
			return err
		}
	}
	return nil
}

// aclsAllowed says whether the application's capabilities allow ACLs.
func (b *Bundle) aclsAllowed() bool {
	return slices.ContainsFunc([]string{"V1_2", "V1_3", "V1_4_2", "V2_0", "V2_5"}, func(name string) bool {
		return b.Capability(LevelApplication, name)
	})
}

func (p *parser) parseOrg(name string, g *common.ConfigGroup) error {
	var anchors peer.AnchorPeers
	m, err := p.organization(g, pathApplication+"/"+name, map[string]proto.Message{"AnchorPeers": &anchors})
	if err != nil || m == nil {
		return err
	}
	org := Org{Name: name, MSPID: m.ID(), MSP: m}
	for _, a := range anchors.GetAnchorPeers() {
		org.Anchors = append(org.Anchors, Anchor{Host: a.GetHost(), Port: int(a.GetPort())})
	}
	p.b.orgs = append(p.b.orgs, org)
	return nil
}

// organization decodes the group of an organization: its MSP, which is nil when it is Idemix, and the values of known.
func (p *parser) organization(g *common.ConfigGroup, path string, known map[string]proto.Message) (*msp.MSP, error) {
	if len(g.GetGroups()) > 0 {
		return nil, fmt.Errorf("%s has groups, an organization must not", path)
	}
	conf := &mspproto.MSPConfig{}
	known["MSP"] = conf
	if err := decodeValues(g, path, known); err != nil {
		return nil, err
	}
	m, err := p.define(conf)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if p.b.mspIDs[path], err = mspID(m, conf); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// mspID returns the MSP ID of a configuration, for whose MSP m is, nil when it is Idemix.
func mspID(m *msp.MSP, conf *mspproto.MSPConfig) (string, error) {
	if m != nil {
		return m.ID(), nil
	}
	idemix := &mspproto.IdemixMSPConfig{}
	if err := proto.Unmarshal(conf.GetConfig(), idemix); err != nil {
		return "", fmt.Errorf("configuration of an Idemix MSP: %w", err)
	}
	return idemix.GetName(), nil
}

// define makes the MSP of a configuration. Several groups may define the same MSP, but only in the same way.
func (p *parser) define(conf *mspproto.MSPConfig) (*msp.MSP, error) {
	switch conf.GetType() {
	case typeX509:
	case typeIdemix:
		return nil, nil
	default:
		return nil, fmt.Errorf("MSP type %d is neither X.509 (0) nor Idemix (1)", conf.GetType())
	}
	fabric := &mspproto.FabricMSPConfig{}
	if err := proto.Unmarshal(conf.GetConfig(), fabric); err != nil {
		return nil, fmt.Errorf("MSP: %w", err)
	}
	if d, ok := p.definitions[fabric.GetName()]; ok {
		if !bytes.Equal(d.raw, conf.GetConfig()) {
			return nil, fmt.Errorf("MSP ID %q is defined a second time, differently", fabric.GetName())
		}
		return d.msp, nil
	}
	m, err := msp.New(fabric, p.b.version)
	if err != nil {
		return nil, err
	}
	p.definitions[m.ID()] = definition{raw: conf.GetConfig(), msp: m}
	p.b.msps[m.ID()] = m
	return m, nil
}
