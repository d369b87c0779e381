// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
)

var (
	oidAuthorityKeyID = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidECDSA          = []asn1.ObjectIdentifier{ // with SHA-1, SHA-256, SHA-384, SHA-512
		{1, 2, 840, 10045, 4, 1}, {1, 2, 840, 10045, 4, 3, 2}, {1, 2, 840, 10045, 4, 3, 3}, {1, 2, 840, 10045, 4, 3, 4},
	}
)

// authorityKeyID is RFC 5280, section 4.2.1.1, without the parts behind the key
// identifier, which nobody asks for.
type authorityKeyID struct {
	KeyID []byte `asn1:"optional,tag:0"`
}

// revocations is one revocation list, its serial numbers indexed.
type revocations struct {
	list    *pkix.CertificateList
	issuer  []byte // authority key identifier, empty when the extension names none
	fault   error  // no authority key identifier to be had
	serials map[string]struct{}
}

// parseCRLs reads revocation lists in PEM or DER. Their dates do not matter, a
// list is in force from the configuration that carries it (Fabric's rule).
func parseCRLs(lists [][]byte) ([]*revocations, error) {
	crls := make([]*revocations, len(lists))
	for i, data := range lists {
		list, err := parseCRL(data)
		if err != nil {
			return nil, fmt.Errorf("revocation list %d: %w", i+1, err)
		}
		crls[i] = &revocations{list: list, serials: make(map[string]struct{}, len(list.TBSCertList.RevokedCertificates))}
		crls[i].issuer, crls[i].fault = issuerKeyID(list)
		for _, entry := range list.TBSCertList.RevokedCertificates {
			crls[i].serials[entry.SerialNumber.String()] = struct{}{}
		}
	}
	return crls, nil
}

// parseCRL uses Go's old reader on purpose, as Fabric does: the new one refuses
// lists that Fabric's peers take, and a channel with one would stand still here.
func parseCRL(data []byte) (*pkix.CertificateList, error) {
	list, err := x509.ParseCRL(data) //lint:ignore SA1019 Fabric's reader
	if err != nil || !isECDSAOID(list.SignatureAlgorithm.Algorithm) {
		return list, err
	}
	// Go verifies canonical DER only, and a list that does not verify would
	// revoke nothing.
	sig, err := reencode(list.SignatureValue.RightAlign())
	if err != nil {
		return nil, err
	}
	list.SignatureValue = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	return list, nil
}

func isECDSAOID(algorithm asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(oidECDSA, algorithm.Equal)
}

// issuerKeyID returns the key identifier of the list's issuer; none in an
// extension that names the issuer in another way.
func issuerKeyID(list *pkix.CertificateList) ([]byte, error) {
	for _, ext := range list.TBSCertList.Extensions {
		if !ext.Id.Equal(oidAuthorityKeyID) {
			continue
		}
		var aki authorityKeyID
		if _, err := asn1.Unmarshal(ext.Value, &aki); err != nil {
			return nil, fmt.Errorf("a revocation list has a malformed authority key identifier: %w", err)
		}
		return aki.KeyID, nil
	}
	return nil, errors.New("a revocation list has no authority key identifier: issue it anew with one")
}

// revoked looks for cert on the lists of its issuer: a list is the issuer's
// when its authority key identifier is the issuer's subject key identifier and
// the issuer's key signed it; forged lists are ignored. A list without the
// identifier makes every identity invalid (Fabric's rule).
func (m *MSP) revoked(cert, issuer *x509.Certificate) error {
	for _, crl := range m.crls {
		if crl.fault != nil {
			return crl.fault
		}
		if !bytes.Equal(crl.issuer, issuer.SubjectKeyId) {
			continue
		}
		if _, listed := crl.serials[cert.SerialNumber.String()]; listed && crl.signedBy(issuer) {
			return fmt.Errorf("%w: serial %x of %q", ErrRevoked, cert.SerialNumber, issuer.Subject.CommonName)
		}
	}
	return nil
}

func (r *revocations) signedBy(ca *x509.Certificate) bool {
	return ca.CheckCRLSignature(r.list) == nil //lint:ignore SA1019 as in parseCRL
}
