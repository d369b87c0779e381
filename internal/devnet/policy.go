// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"
)

// Names of policies and the modification policy that configtxgen gives to every element.
const (
	admins          = "Admins"
	readers         = "Readers"
	writers         = "Writers"
	endorsement     = "Endorsement"
	lifecycle       = "LifecycleEndorsement"
	blockValidation = "BlockValidation"
)

// groupBuilder fills a configuration group and keeps the first error.
type groupBuilder struct {
	group *common.ConfigGroup
	err   error
}

func newGroup() *groupBuilder { return editGroup(&common.ConfigGroup{ModPolicy: admins}) }

// editGroup builds on a group that exists; a decoded one has nil maps where it is empty.
func editGroup(group *common.ConfigGroup) *groupBuilder {
	if group.Groups == nil {
		group.Groups = map[string]*common.ConfigGroup{}
	}
	if group.Values == nil {
		group.Values = map[string]*common.ConfigValue{}
	}
	if group.Policies == nil {
		group.Policies = map[string]*common.ConfigPolicy{}
	}
	return &groupBuilder{group: group}
}

func (b *groupBuilder) result() (*common.ConfigGroup, error) {
	if b.err != nil {
		return nil, b.err
	}
	return b.group, nil
}

// fail keeps the first error.
func (b *groupBuilder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// encode marshals m into the group; nil after an error.
func (b *groupBuilder) encode(m proto.Message) []byte {
	raw, err := encode(m)
	b.fail(err)
	return raw
}

func (b *groupBuilder) value(key string, m proto.Message) {
	b.group.Values[key] = &common.ConfigValue{Value: b.encode(m), ModPolicy: admins}
}

// child adds a group below, which must be new.
func (b *groupBuilder) child(key string, group *common.ConfigGroup, err error) {
	if _, taken := b.group.Groups[key]; taken && err == nil {
		err = fmt.Errorf("%w: two groups called %q", ErrChannel, key)
	}
	b.fail(err)
	b.group.Groups[key] = group
}

func (b *groupBuilder) policy(name string, kind common.Policy_PolicyType, m proto.Message) {
	b.group.Policies[name] = &common.ConfigPolicy{
		Policy:    &common.Policy{Type: int32(kind), Value: b.encode(m)},
		ModPolicy: admins,
	}
}

// implicit adds a policy over the policies called sub of the groups below.
func (b *groupBuilder) implicit(name, sub string, rule common.ImplicitMetaPolicy_Rule) {
	b.policy(name, common.Policy_IMPLICIT_META, &common.ImplicitMetaPolicy{SubPolicy: sub, Rule: rule})
}

// implicitBasics adds Readers and Writers of any group below and Admins of their majority.
func (b *groupBuilder) implicitBasics() {
	b.implicit(readers, readers, common.ImplicitMetaPolicy_ANY)
	b.implicit(writers, writers, common.ImplicitMetaPolicy_ANY)
	b.implicit(admins, admins, common.ImplicitMetaPolicy_MAJORITY)
}

// anyRole adds a signature policy that one identity of the organization in one of the roles satisfies.
func (b *groupBuilder) anyRole(name, mspID string, roles ...mspproto.MSPRole_MSPRoleType) {
	principals := make([]*mspproto.MSPPrincipal, 0, len(roles))
	for _, role := range roles {
		principals = append(principals, &mspproto.MSPPrincipal{
			PrincipalClassification: mspproto.MSPPrincipal_ROLE,
			Principal:               b.encode(&mspproto.MSPRole{MspIdentifier: mspID, Role: role}),
		})
	}
	b.signatures(name, 1, principals)
}

// signatures adds a signature policy: n of the principals, each by another identity.
func (b *groupBuilder) signatures(name string, n int, principals []*mspproto.MSPPrincipal) {
	rules := make([]*common.SignaturePolicy, 0, len(principals))
	for i := range principals {
		rules = append(rules, &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: int32(i)}})
	}
	threshold := &common.SignaturePolicy_NOutOf{N: int32(n), Rules: rules}
	b.policy(name, common.Policy_SIGNATURE, &common.SignaturePolicyEnvelope{
		Rule:       &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: threshold}},
		Identities: principals,
	})
}
