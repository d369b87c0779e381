// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"errors"
	"fmt"
	"slices"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"
)

// principalDepth and principalCount bound combined principals, which nest.
// Fabric sets no bound; configurations in the field do not nest at all.
const (
	principalDepth = 8
	principalCount = 256
)

// Satisfies reports whether the identity is what the principal of a policy asks
// for (Fabric's rules by MSP version). The error is ErrPrincipal or one of
// Validate's.
func (m *MSP) Satisfies(id *Identity, p *mspproto.MSPPrincipal) error {
	parts, err := m.flatten(nil, p, principalDepth)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPrincipal, err)
	}
	for _, part := range parts {
		if err := m.satisfies(id, part); err != nil {
			return err
		}
	}
	return nil
}

// flatten appends the parts of a combined principal, all of which must hold.
func (m *MSP) flatten(parts []*mspproto.MSPPrincipal, p *mspproto.MSPPrincipal, depth int) ([]*mspproto.MSPPrincipal, error) {
	if p.GetPrincipalClassification() != mspproto.MSPPrincipal_COMBINED {
		return append(parts, p), nil
	}
	var combined mspproto.CombinedPrincipal
	if err := proto.Unmarshal(p.GetPrincipal(), &combined); err != nil {
		return nil, fmt.Errorf("combined principal: %w", err)
	}
	switch {
	case m.version < V1_3:
		return nil, fmt.Errorf("combined principals need MSP version 1.3, this is %s", m.version)
	case len(combined.GetPrincipals()) == 0:
		return nil, errors.New("combined principal without parts")
	case depth == 0 || len(parts)+len(combined.GetPrincipals()) > principalCount:
		return nil, fmt.Errorf("combined principal of more than %d levels or %d parts", principalDepth, principalCount)
	}
	var err error
	for _, part := range combined.GetPrincipals() {
		if parts, err = m.flatten(parts, part, depth-1); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

func (m *MSP) satisfies(id *Identity, p *mspproto.MSPPrincipal) error {
	switch p.GetPrincipalClassification() {
	case mspproto.MSPPrincipal_ROLE:
		return m.satisfiesRole(id, p.GetPrincipal())
	case mspproto.MSPPrincipal_ORGANIZATION_UNIT:
		return m.satisfiesUnit(id, p.GetPrincipal())
	case mspproto.MSPPrincipal_IDENTITY:
		return m.satisfiesIdentity(id, p.GetPrincipal())
	case mspproto.MSPPrincipal_ANONYMITY:
		return m.satisfiesAnonymity(p.GetPrincipal())
	}
	return fmt.Errorf("%w: unknown classification %v", ErrPrincipal, p.GetPrincipalClassification())
}

func (m *MSP) satisfiesRole(id *Identity, principal []byte) error {
	var role mspproto.MSPRole
	if err := proto.Unmarshal(principal, &role); err != nil {
		return fmt.Errorf("%w: role: %w", ErrPrincipal, err)
	}
	if role.GetMspIdentifier() != m.id {
		return fmt.Errorf("%w: %s is not of %q", ErrPrincipal, id, role.GetMspIdentifier())
	}
	switch role.GetRole() {
	case mspproto.MSPRole_MEMBER:
		return m.Validate(id)
	case mspproto.MSPRole_ADMIN:
		return m.isAdmin(id)
	case mspproto.MSPRole_CLIENT, mspproto.MSPRole_PEER, mspproto.MSPRole_ORDERER:
		return m.hasRole(id, role.GetRole())
	}
	return fmt.Errorf("%w: unknown role %v", ErrPrincipal, role.GetRole())
}

// isAdmin: a listed certificate, or since 1.4.3 a valid one with the admin OU.
func (m *MSP) isAdmin(id *Identity) error {
	if _, listed := m.admins[id.digest]; listed && id.mspID == m.id {
		return nil
	}
	if m.nodes.has(mspproto.MSPRole_ADMIN) {
		return m.hasRole(id, mspproto.MSPRole_ADMIN)
	}
	return fmt.Errorf("%w: %s is not an administrator", ErrPrincipal, id)
}

func (m *MSP) satisfiesUnit(id *Identity, principal []byte) error {
	var unit mspproto.OrganizationUnit
	if err := proto.Unmarshal(principal, &unit); err != nil {
		return fmt.Errorf("%w: organizational unit: %w", ErrPrincipal, err)
	}
	if unit.GetMspIdentifier() != m.id {
		return fmt.Errorf("%w: %s is not of %q", ErrPrincipal, id, unit.GetMspIdentifier())
	}
	c, err := m.certify(id)
	if err != nil {
		return err
	}
	named := slices.Contains(id.cert.Subject.OrganizationalUnit, unit.GetOrganizationalUnitIdentifier())
	if !named || string(c) != string(unit.GetCertifiersIdentifier()) {
		return fmt.Errorf("%w: %s is not in organizational unit %q of the certifier", ErrPrincipal, id, unit.GetOrganizationalUnitIdentifier())
	}
	return nil
}

func (m *MSP) satisfiesIdentity(id *Identity, principal []byte) error {
	want, err := m.named.parse(principal)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPrincipal, err)
	}
	if want.mspID != m.id || want.digest != id.digest {
		return fmt.Errorf("%w: %s is not %s", ErrPrincipal, id, want)
	}
	return m.Validate(id)
}

func (m *MSP) satisfiesAnonymity(principal []byte) error {
	var a mspproto.MSPIdentityAnonymity
	if err := proto.Unmarshal(principal, &a); err != nil {
		return fmt.Errorf("%w: anonymity: %w", ErrPrincipal, err)
	}
	switch {
	case m.version < V1_3:
		return fmt.Errorf("%w: anonymity principals need MSP version 1.3, this is %s", ErrPrincipal, m.version)
	case a.GetAnonymityType() != mspproto.MSPIdentityAnonymity_NOMINAL:
		return fmt.Errorf("%w: X.509 identities are not anonymous", ErrPrincipal)
	}
	return nil
}
