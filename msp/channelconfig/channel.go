// SPDX-License-Identifier: Apache-2.0

package channelconfig

import (
	"errors"
	"fmt"
	"math"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp"
	"github.com/weft-p2p/weft/msp/channelconfig/policy"
)

// Levels of capabilities; below the channel they are the names of its groups.
const (
	LevelChannel     = policy.Root
	LevelOrderer     = "Orderer"
	LevelApplication = "Application"
)

const (
	pathChannel     = "/" + LevelChannel
	pathOrderer     = pathChannel + "/" + LevelOrderer
	pathApplication = pathChannel + "/" + LevelApplication
)

// channelVersions gives the MSP version that a channel capability brings; Fabric's rule.
var channelVersions = map[string]msp.Version{
	"V1_1":   msp.V1_1,
	"V1_3":   msp.V1_3,
	"V1_4_2": msp.V1_3,
	"V1_4_3": msp.V1_4_3,
	"V2_0":   msp.V1_4_3,
	"V3_0":   msp.V3_0,
}

// channelValues are the values of the channel group.
type channelValues struct {
	hashing      common.HashingAlgorithm
	structure    common.BlockDataHashingStructure
	addresses    common.OrdererAddresses
	consortium   common.Consortium
	capabilities common.Capabilities
}

func (p *parser) parseChannel(root *common.ConfigGroup) error {
	for name := range root.GetGroups() {
		if name != LevelOrderer && name != LevelApplication {
			return fmt.Errorf("group %s/%s: only %s and %s belong to a channel that peers can join", pathChannel, name, LevelOrderer, LevelApplication)
		}
	}
	v := &channelValues{}
	p.b.channel = v
	err := decodeValues(root, pathChannel, map[string]proto.Message{
		"HashingAlgorithm":          &v.hashing,
		"BlockDataHashingStructure": &v.structure,
		"OrdererAddresses":          &v.addresses,
		"Orderers":                  &common.Orderers{}, // Fabric reads it here, too, and takes it from the orderer group
		"Consortium":                &v.consortium,
		"Capabilities":              &v.capabilities,
	})
	if err != nil {
		return err
	}
	p.b.capabilities[LevelChannel] = v.capabilities.GetCapabilities()
	if p.b.version, err = channelVersion(v.capabilities.GetCapabilities()); err != nil {
		return err
	}
	return p.checkChannel(v)
}

// channelVersion returns the MSP version of a channel. A capability that is not known is an error: it may change what
// makes an identity or a block valid, and Fabric's peers stop at it, too.
func channelVersion(capabilities map[string]*common.Capability) (msp.Version, error) {
	version := msp.V1_0
	for name := range capabilities {
		v, known := channelVersions[name]
		if !known {
			return 0, fmt.Errorf("channel capability %.64q is not known: a newer version of weft may know it", name)
		}
		version = max(version, v)
	}
	return version, nil
}

// checkCapabilityLevels refuses capabilities of the channel or the application without any of the orderer.
func checkCapabilityLevels(root *common.ConfigGroup) error {
	const name = "Capabilities"
	orderer, ok := root.GetGroups()[LevelOrderer]
	if _, has := orderer.GetValues()[name]; has || !ok {
		return nil
	}
	_, channel := root.GetValues()[name]
	_, application := root.GetGroups()[LevelApplication].GetValues()[name]
	if channel || application {
		return fmt.Errorf("capabilities of the channel or the application, and none in %s", pathOrderer)
	}
	return nil
}

// checkChannel looks at the values of the channel. The hashing algorithm has to be one that Fabric knows; no hash of a
// block is made with it.
func (p *parser) checkChannel(v *channelValues) error {
	addresses := len(v.addresses.GetAddresses())
	switch {
	case v.hashing.GetName() != "SHA256" && v.hashing.GetName() != "SHA3_256":
		return fmt.Errorf("hashing algorithm %.64q is neither SHA256 nor SHA3_256", v.hashing.GetName())
	case v.structure.GetWidth() != math.MaxUint32:
		return fmt.Errorf("block data hashing structure of width %d, it must be %d", v.structure.GetWidth(), uint32(math.MaxUint32))
	case p.b.bft() && addresses > 0:
		return fmt.Errorf("%d global orderer addresses, which capability V3_0 forbids: name them in the organizations", addresses)
	case !p.b.orgEndpoints() && addresses == 0:
		return errors.New("no orderer addresses, which a channel without capability V1_4_2 must have")
	}
	return nil
}

// orgEndpoints says whether orderer organizations may name endpoints of their own; the same capabilities allow another
// consensus type.
func (b *Bundle) orgEndpoints() bool {
	return b.version >= msp.V1_4_3 || b.Capability(LevelChannel, "V1_4_2")
}

// bft says whether block signatures may name their signer by consenter ID. Fabric goes by the capability, not by the
// consensus type.
func (b *Bundle) bft() bool { return b.Capability(LevelChannel, "V3_0") }
