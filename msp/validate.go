// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto/x509"
	"errors"
	"fmt"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
)

// Validate reports whether the organization vouches for the identity: supported
// key, not a CA, exactly one chain to a root whose issuing CA issues no other
// CA, not revoked, organizational units as configured. Expiry does not count.
// The error is ErrUnknownCA, ErrRevoked or ErrInvalid.
func (m *MSP) Validate(id *Identity) error {
	_, err := m.certify(id)
	return err
}

// Recognizes reports whether the organization's MSP makes anything of the
// identity at all, valid or not: what Fabric asks before it looks at a signature.
// It wants one chain to a root, unless the certificate is signed by a key other
// than ECDSA or is a self-signed CA. The error is ErrUnknownCA or ErrInvalid.
func (m *MSP) Recognizes(id *Identity) error {
	if m.Validate(id) == nil {
		return nil // remembered, and it includes the other
	}
	if id.mspID != m.id {
		return fmt.Errorf("%w: %s is not of %s", ErrInvalid, id, m.id)
	}
	if err := m.cas.recognize(id.cert); err != nil {
		return refusal(id, err)
	}
	return nil
}

// Verify checks the identity's signature over msg as Identity.Verify does, with
// the hash family of the organization: SHA2 means SHA-256 and SHA3 SHA3-256, and
// under any other no signature is good. The error is ErrSignature.
func (m *MSP) Verify(id *Identity, msg, sig []byte) error {
	return verifySignature(id.cert.PublicKey, m.digest, msg, sig)
}

// IsPeer reports whether the identity is valid and may act as a peer: when
// NodeOUs are on it must carry the peer OU, else any member may. The errors are
// those of Validate, and ErrPrincipal.
func (m *MSP) IsPeer(id *Identity) error {
	if !m.nodes.enabled {
		return m.Validate(id)
	}
	return m.hasRole(id, mspproto.MSPRole_PEER)
}

// hasRole is Fabric's rule for the roles that NodeOUs tell apart.
func (m *MSP) hasRole(id *Identity, role mspproto.MSPRole_MSPRoleType) error {
	if err := m.Validate(id); err != nil {
		return err
	}
	return m.nodes.match(id, role)
}

// certify validates an identity and returns who certified its OUs. Positive
// results are remembered: nothing they depend on changes.
func (m *MSP) certify(id *Identity) (certifier, error) {
	if id.mspID != m.id {
		return "", fmt.Errorf("%w: %s is not of %s", ErrInvalid, id, m.id)
	}
	if c, ok := m.valid.Get(id.digest); ok {
		return c, nil
	}
	c, err := m.examine(id)
	if err != nil {
		return "", refusal(id, err)
	}
	m.valid.Add(id.digest, c)
	return c, nil
}

func (m *MSP) examine(id *Identity) (certifier, error) {
	if err := m.supported(id.cert); err != nil {
		return "", err
	}
	chain, err := m.cas.certification(id.cert)
	if err != nil {
		return "", err
	}
	if err := m.revoked(id.cert, chain[1]); err != nil {
		return "", err
	}
	c := m.cas.certifierOf(chain[1:])
	return c, m.checkUnits(id, c)
}

func (m *MSP) supported(cert *x509.Certificate) error {
	switch {
	case cert.PublicKeyAlgorithm == x509.ECDSA:
		return nil
	case cert.PublicKeyAlgorithm == x509.Ed25519 && m.version >= V3_0:
		return nil
	}
	return fmt.Errorf("%v keys are not supported by MSP version %s", cert.PublicKeyAlgorithm, m.version)
}

// refusal says why an identity is not valid, under one of the errors of
// Validate.
func refusal(id *Identity, err error) error {
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: %s, issued by %q", ErrUnknownCA, id, id.cert.Issuer.CommonName)
	case errors.Is(err, ErrRevoked):
		return fmt.Errorf("%s: %w", id, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrInvalid, id, err)
}
