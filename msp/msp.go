// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	lru "github.com/hashicorp/golang-lru/v2"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
)

// Version is the set of rules that an MSP follows. The channel capability
// chooses it (Fabric's rule): V3_0 gives V3_0; V1_4_3 and V2_0 give V1_4_3;
// V1_3 and V1_4_2 give V1_3; V1_1 gives V1_1; none gives V1_0.
type Version int

// The versions, oldest first, so that they can be compared.
const (
	V1_0   Version = iota
	V1_1           // NodeOUs tell clients from peers
	V1_3           // combined and anonymity principals
	V1_4_3         // admin and orderer OUs
	V3_0           // Ed25519
)

// String returns the version as Fabric writes it.
func (v Version) String() string {
	names := [...]string{"1.0", "1.1", "1.3", "1.4.3", "3.0"}
	if v < 0 || int(v) >= len(names) {
		return fmt.Sprintf("Version(%d)", int(v))
	}
	return names[v]
}

// Errors of an MSP.
var (
	// ErrConfig reports an MSP configuration that Fabric would refuse.
	ErrConfig = errors.New("msp: invalid configuration")
	// ErrUnknownCA reports a certificate without a chain to the organization's
	// CAs. A newer configuration may know its CA.
	ErrUnknownCA = errors.New("msp: certificate of an unknown CA")
	// ErrRevoked reports a certificate on a revocation list of its issuer.
	ErrRevoked = errors.New("msp: certificate is revoked")
	// ErrInvalid reports any other breach of the rules for identities.
	ErrInvalid = errors.New("msp: invalid identity")
	// ErrPrincipal reports an identity that is not what a principal asks for.
	ErrPrincipal = errors.New("msp: principal not satisfied")
)

// validated is how many positive results an MSP remembers: some bytes each, and
// more identities than one organization has peers.
const validated = 1024

// MSP verifies the identities of one organization under one configuration.
// Immutable and safe for concurrent use; a new configuration makes a new MSP.
type MSP struct {
	id       string
	version  Version
	digest   digestFunc // of signed messages, nil when the hash family is unknown
	cas      *authorities
	crls     []*revocations
	units    map[string][]certifier // organizational unit -> accepted certifiers
	nodes    nodeOUs
	admins   map[[32]byte]struct{} // Digest of listed administrators
	tlsRoots [][]byte
	valid    *lru.Cache[[32]byte, certifier] // Digest of valid identities
	named    identities                      // in principals
}

// New checks a configuration as Fabric does when it sets an MSP up, and keeps
// no reference to it. The error is ErrConfig. Expired CAs are accepted.
func New(conf *mspproto.FabricMSPConfig, v Version) (*MSP, error) {
	m := &MSP{id: conf.GetName(), version: v}
	if err := m.setup(conf); err != nil {
		return nil, fmt.Errorf("%w of %q: %w", ErrConfig, m.id, err)
	}
	return m, nil
}

func (m *MSP) setup(conf *mspproto.FabricMSPConfig) (err error) {
	switch {
	case m.id == "":
		return errors.New("no MSP ID")
	case m.version < V1_0 || m.version > V3_0:
		return fmt.Errorf("unknown MSP version %d", int(m.version))
	}
	if m.valid, err = lru.New[[32]byte, certifier](validated); err != nil {
		return err
	}
	m.digest = digestOf(conf.GetCryptoConfig())
	newHash := identityHash(conf.GetCryptoConfig())
	if newHash == nil {
		return fmt.Errorf("identity hash function %q is not known", conf.GetCryptoConfig().GetIdentityIdentifierHashFunction())
	}
	if m.cas, err = newAuthorities(conf.GetRootCerts(), conf.GetIntermediateCerts(), newHash); err != nil {
		return err
	}
	if m.crls, err = parseCRLs(conf.GetRevocationList()); err != nil {
		return err
	}
	if err := m.checkRevokedCAs(m.cas.pool); err != nil {
		return err
	}
	if err := m.checkSigningIdentity(conf.GetSigningIdentity()); err != nil {
		return err
	}
	if err := m.setupTLS(conf.GetTlsRootCerts(), conf.GetTlsIntermediateCerts()); err != nil {
		return err
	}
	if err := m.setupUnits(conf); err != nil {
		return err
	}
	return m.setupAdmins(conf.GetAdmins())
}

// checkRevokedCAs refuses a configuration whose own revocation lists name one
// of its intermediate CAs.
func (m *MSP) checkRevokedCAs(p *pool) error {
	for _, ca := range p.intermediates {
		chain, err := p.chain(ca)
		if err != nil {
			return err
		}
		if len(chain) < 2 {
			continue // listed as a root as well
		}
		if err := m.revoked(ca, chain[1]); err != nil {
			return fmt.Errorf("CA %q: %w", ca.Subject.CommonName, err)
		}
	}
	return nil
}

// checkSigningIdentity looks at a signing identity, which has no place in a configuration
// that others see: Fabric takes one whose certificate the CAs recognize, and reads its key.
func (m *MSP) checkSigningIdentity(s *mspproto.SigningIdentityInfo) error {
	if s == nil {
		return nil
	}
	id, err := identityOf(m.id, s.GetPublicSigner())
	if err != nil {
		return fmt.Errorf("signing identity: %w", err)
	}
	if err := m.cas.recognize(id.cert); err != nil {
		return fmt.Errorf("signing identity: %w", err)
	}
	if block, _ := pem.Decode(s.GetPrivateSigner().GetKeyMaterial()); block == nil {
		return errors.New("signing identity without a key in PEM")
	}
	return nil
}

func (m *MSP) setupTLS(roots, intermediates [][]byte) error {
	p, err := newPool(roots, intermediates)
	if err != nil {
		return fmt.Errorf("TLS %w", err)
	}
	if err := p.check(); err != nil {
		return fmt.Errorf("TLS %w", err)
	}
	for _, data := range slices.Concat(roots, intermediates) {
		m.tlsRoots = append(m.tlsRoots, bytes.Clone(data))
	}
	return m.checkRevokedCAs(p)
}

// setupAdmins reads the listed administrators. Since 1.4.3 there must be one,
// or an OU that makes administrators; where NodeOUs are on they must carry the
// client or admin OU, elsewhere they must be valid. Before 1.4.3 and with NodeOUs
// they must be valid clients.
func (m *MSP) setupAdmins(certs [][]byte) error {
	m.admins = make(map[[32]byte]struct{}, len(certs))
	for i, pem := range certs {
		id, err := identityOf(m.id, pem)
		if err != nil {
			return fmt.Errorf("administrator %d: %w", i+1, err)
		}
		if err := m.checkAdmin(id); err != nil {
			return fmt.Errorf("administrator %d: %w", i+1, err)
		}
		m.admins[id.Digest()] = struct{}{}
	}
	if m.version >= V1_4_3 && len(certs) == 0 && !m.nodes.has(mspproto.MSPRole_ADMIN) {
		return errors.New("no administrators: list one in admincerts/ or set AdminOUIdentifier in config.yaml")
	}
	return nil
}

func (m *MSP) checkAdmin(id *Identity) error {
	switch {
	case !m.nodes.enabled:
		return m.Validate(id)
	case m.version < V1_4_3:
		return m.hasRole(id, mspproto.MSPRole_CLIENT)
	}
	if _, err := m.cas.certification(id.cert); err != nil {
		return refusal(id, err)
	}
	if m.nodes.match(id, mspproto.MSPRole_CLIENT) == nil {
		return nil
	}
	return m.nodes.match(id, mspproto.MSPRole_ADMIN)
}

// ID returns the MSP ID of the organization.
func (m *MSP) ID() string { return m.id }

// Version returns the rules in force.
func (m *MSP) Version() Version { return m.version }

// NodeOUs reports whether organizational units tell peers from clients.
func (m *MSP) NodeOUs() bool { return m.nodes.enabled }

// TLSRoots returns the TLS CAs, intermediates included, in PEM. Read only.
func (m *MSP) TLSRoots() [][]byte { return m.tlsRoots }

// Roots returns the root CAs in DER, in the order of the configuration.
func (m *MSP) Roots() [][]byte { return rawCertificates(m.cas.roots) }

func rawCertificates(certs []*x509.Certificate) [][]byte {
	raw := make([][]byte, len(certs))
	for i, c := range certs {
		raw[i] = c.Raw
	}
	return raw
}
