// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

const pemCRL = "X509 CRL"

// revocations is one revocation list, its serial numbers indexed.
type revocations struct {
	list    *x509.RevocationList
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
		crls[i] = &revocations{list: list, serials: make(map[string]struct{}, len(list.RevokedCertificateEntries))}
		for _, entry := range list.RevokedCertificateEntries {
			crls[i].serials[entry.SerialNumber.String()] = struct{}{}
		}
	}
	return crls, nil
}

func parseCRL(data []byte) (*x509.RevocationList, error) {
	if block, _ := pem.Decode(data); block != nil && block.Type == pemCRL {
		data = block.Bytes
	}
	list, err := x509.ParseRevocationList(data)
	if err != nil || !isECDSA(list.SignatureAlgorithm) {
		return list, err
	}
	// Go is stricter than Fabric about the form of the signature, and a list
	// that does not verify would revoke nothing.
	if list.Signature, err = reencode(list.Signature); err != nil {
		return nil, err
	}
	return list, nil
}

// revoked looks for cert on the lists of its issuer: a list is the issuer's
// when its authority key identifier is the issuer's subject key identifier and
// the issuer's key signed it; forged lists are ignored.
func (m *MSP) revoked(cert, issuer *x509.Certificate) error {
	for _, crl := range m.crls {
		if len(crl.list.AuthorityKeyId) == 0 {
			return errors.New("a revocation list has no authority key identifier: issue it anew with one")
		}
		if !bytes.Equal(crl.list.AuthorityKeyId, issuer.SubjectKeyId) {
			continue
		}
		if _, listed := crl.serials[cert.SerialNumber.String()]; listed && crl.signedBy(issuer) {
			return fmt.Errorf("%w: serial %x of %q", ErrRevoked, cert.SerialNumber, issuer.Subject.CommonName)
		}
	}
	return nil
}

func (r *revocations) signedBy(ca *x509.Certificate) bool {
	return ca.CheckSignature(r.list.SignatureAlgorithm, r.list.RawTBSRevocationList, r.list.Signature) == nil
}
