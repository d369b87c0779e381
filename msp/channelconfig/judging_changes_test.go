// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/devnet"
)

// alterMSP changes an MSP of the ordering section, or of the application section when the organization is only there.
func alterMSP(org string, alter func(*mspproto.FabricMSPConfig)) devnet.Change {
	return func(root *common.ConfigGroup) error {
		group := root.Groups["Orderer"].Groups[org]
		if group == nil {
			group = root.Groups["Application"].Groups[org]
		}
		outer, conf := &mspproto.MSPConfig{}, &mspproto.FabricMSPConfig{}
		if err := proto.Unmarshal(group.Values["MSP"].Value, outer); err != nil {
			return err
		}
		if err := proto.Unmarshal(outer.Config, conf); err != nil {
			return err
		}
		alter(conf)
		outer.Config = marshal(conf)
		group.Values["MSP"].Value = marshal(outer)
		return nil
	}
}

// under returns the group at a path below the channel group.
func under(root *common.ConfigGroup, path ...string) *common.ConfigGroup {
	for _, name := range path {
		root = root.Groups[name]
	}
	return root
}

// setPolicy writes a policy; its name is the last element of the path.
func setPolicy(p *common.Policy, path ...string) devnet.Change {
	return func(root *common.ConfigGroup) error {
		group := under(root, path[:len(path)-1]...)
		group.Policies[path[len(path)-1]] = &common.ConfigPolicy{Policy: p, ModPolicy: "Admins"}
		return nil
	}
}

// setValue writes an encoded value of a section; none removes it.
func setValue(section, key string, value []byte) devnet.Change {
	return func(root *common.ConfigGroup) error {
		if section != "" {
			root = root.Groups[section]
		}
		delete(root.Values, key)
		if root.Values == nil {
			root.Values = map[string]*common.ConfigValue{}
		}
		if value != nil {
			root.Values[key] = &common.ConfigValue{Value: value, ModPolicy: "Admins"}
		}
		return nil
	}
}

func capability(section string, names ...string) devnet.Change {
	all := &common.Capabilities{Capabilities: map[string]*common.Capability{}}
	for _, name := range names {
		all.Capabilities[name] = &common.Capability{}
	}
	return setValue(section, "Capabilities", marshal(all))
}

func rolePrincipal(mspID string, role mspproto.MSPRole_MSPRoleType) *mspproto.MSPPrincipal {
	return &mspproto.MSPPrincipal{Principal: marshal(&mspproto.MSPRole{MspIdentifier: mspID, Role: role})}
}

// signedBy is the policy that one of the principals signs.
func signedBy(principals ...*mspproto.MSPPrincipal) *common.Policy { return nOf(1, principals...) }

func nOf(n int, principals ...*mspproto.MSPPrincipal) *common.Policy {
	out := &common.SignaturePolicy_NOutOf{N: int32(n)}
	for i := range principals {
		out.Rules = append(out.Rules, &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: int32(i)}})
	}
	return signaturePolicy(&common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: out}}, principals...)
}

func signaturePolicy(rule *common.SignaturePolicy, principals ...*mspproto.MSPPrincipal) *common.Policy {
	return &common.Policy{
		Type:  int32(common.Policy_SIGNATURE),
		Value: marshal(&common.SignaturePolicyEnvelope{Rule: rule, Identities: principals}),
	}
}

func implicit(sub string, rule common.ImplicitMetaPolicy_Rule) *common.Policy {
	return &common.Policy{
		Type:  int32(common.Policy_IMPLICIT_META),
		Value: marshal(&common.ImplicitMetaPolicy{SubPolicy: sub, Rule: rule}),
	}
}
