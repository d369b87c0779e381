// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"errors"
	"fmt"
	"slices"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
)

// nodeOUs are the organizational units that tell the roles of an organization
// apart.
type nodeOUs struct {
	enabled bool
	roles   map[mspproto.MSPRole_MSPRoleType]nodeOU
}

// nodeOU is the organizational unit of a role, and who must have issued it: nil
// for any CA of the organization.
type nodeOU struct {
	name   string
	issuer *certifier
}

func (m *MSP) setupUnits(conf *mspproto.FabricMSPConfig) (err error) {
	m.units = make(map[string][]certifier)
	for _, ou := range conf.GetOrganizationalUnitIdentifiers() {
		c, err := m.cas.certifier(ou.GetCertificate())
		if err != nil {
			return fmt.Errorf("organizational unit %q: %w", ou.GetOrganizationalUnitIdentifier(), err)
		}
		m.units[ou.GetOrganizationalUnitIdentifier()] = append(m.units[ou.GetOrganizationalUnitIdentifier()], c)
	}
	if m.version >= V1_1 {
		m.nodes, err = m.newNodeOUs(conf.GetFabricNodeOus())
	}
	return err
}

func (m *MSP) newNodeOUs(conf *mspproto.FabricNodeOUs) (nodeOUs, error) {
	n := nodeOUs{enabled: conf.GetEnable(), roles: make(map[mspproto.MSPRole_MSPRoleType]nodeOU)}
	if conf == nil {
		return n, nil
	}
	configured := map[mspproto.MSPRole_MSPRoleType]*mspproto.FabricOUIdentifier{
		mspproto.MSPRole_CLIENT: conf.GetClientOuIdentifier(),
		mspproto.MSPRole_PEER:   conf.GetPeerOuIdentifier(),
	}
	if m.version >= V1_4_3 {
		configured[mspproto.MSPRole_ADMIN] = conf.GetAdminOuIdentifier()
		configured[mspproto.MSPRole_ORDERER] = conf.GetOrdererOuIdentifier()
	}
	for role, ou := range configured {
		if err := m.addNodeOU(n, role, ou); err != nil {
			return n, fmt.Errorf("NodeOU of %v: %w", role, err)
		}
	}
	n.enabled = n.enabled && len(n.roles) > 0
	return n, nil
}

func (m *MSP) addNodeOU(n nodeOUs, role mspproto.MSPRole_MSPRoleType, ou *mspproto.FabricOUIdentifier) error {
	if m.version < V1_4_3 && ou.GetOrganizationalUnitIdentifier() == "" {
		return errors.New("no organizational unit: before version 1.4.3 both client and peer need one")
	}
	if ou == nil {
		return nil
	}
	node := nodeOU{name: ou.GetOrganizationalUnitIdentifier()}
	if len(ou.GetCertificate()) > 0 {
		c, err := m.cas.certifier(ou.GetCertificate())
		if err != nil {
			return err
		}
		node.issuer = &c
	}
	n.roles[role] = node
	return nil
}

// has reports whether identities can be told to have the role.
func (n nodeOUs) has(role mspproto.MSPRole_MSPRoleType) bool {
	_, ok := n.roles[role]
	return n.enabled && ok
}

// match reports whether the certificate carries the role's OU. Who issued it is
// the business of Validate.
func (n nodeOUs) match(id *Identity, role mspproto.MSPRole_MSPRoleType) error {
	if !n.has(role) {
		return fmt.Errorf("%w: no NodeOU tells who is %v", ErrPrincipal, role)
	}
	if !slices.Contains(id.cert.Subject.OrganizationalUnit, n.roles[role].name) {
		return fmt.Errorf("%w: %s has OU %q, %v needs %q", ErrPrincipal, id, id.cert.Subject.OrganizationalUnit, role, n.roles[role].name)
	}
	return nil
}

// nodeOUsByName returns the roles' units by name. Of a name that is used twice Fabric
// lets the later role have it, but before 1.4.3 the client.
func (m *MSP) nodeOUsByName() map[string]nodeOU {
	units := make(map[string]nodeOU, len(m.nodes.roles))
	for _, role := range []mspproto.MSPRole_MSPRoleType{
		mspproto.MSPRole_CLIENT, mspproto.MSPRole_PEER, mspproto.MSPRole_ADMIN, mspproto.MSPRole_ORDERER,
	} {
		node, ok := m.nodes.roles[role]
		if _, taken := units[node.name]; ok && (!taken || m.version >= V1_4_3) {
			units[node.name] = node
		}
	}
	return units
}

// checkUnits applies the OU rules to a certificate issued by c: at least one of
// the listed units, if any are listed; and with NodeOUs exactly one of the roles'
// units, issued by the certifier configured for it.
func (m *MSP) checkUnits(id *Identity, c certifier) error {
	if err := m.checkListedUnits(id, c); err != nil || !m.nodes.enabled {
		return err
	}
	return m.checkNodeOU(id, c)
}

func (m *MSP) checkListedUnits(id *Identity, c certifier) error {
	if len(m.units) == 0 {
		return nil
	}
	for _, ou := range id.cert.Subject.OrganizationalUnit {
		if slices.Contains(m.units[ou], c) {
			return nil
		}
	}
	return fmt.Errorf("none of its organizational units %q is listed for its CA", id.cert.Subject.OrganizationalUnit)
}

func (m *MSP) checkNodeOU(id *Identity, c certifier) error {
	units, found := m.nodeOUsByName(), 0
	for _, ou := range id.cert.Subject.OrganizationalUnit {
		node, ok := units[ou]
		if !ok {
			continue
		}
		if node.issuer != nil && *node.issuer != c {
			return fmt.Errorf("its CA may not issue organizational unit %q", ou)
		}
		found++
	}
	if found != 1 {
		return fmt.Errorf("%d of its organizational units %q name a role, exactly one must", found, id.cert.Subject.OrganizationalUnit)
	}
	return nil
}
