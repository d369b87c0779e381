// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
)

const pemCertificate = "CERTIFICATE"

// firstCertificate reads the first PEM block of data, as Fabric reads every
// certificate of a configuration: the block's type and what follows it do not
// matter.
func firstCertificate(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no PEM block: expected -----BEGIN CERTIFICATE-----")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse certificate: %w", err)
	}
	return canonicalCertificate(cert)
}

// wellFormedCertificate demands what Fabric's IsWellFormed demands of an
// identity on the wire: one PEM block of type CERTIFICATE or none, nothing
// after it, and an ECDSA certificate signature in canonical DER.
func wellFormedCertificate(data []byte) (*x509.Certificate, error) {
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return nil, errors.New("no PEM block: expected -----BEGIN CERTIFICATE-----")
	case len(rest) > 0:
		return nil, fmt.Errorf("%d bytes after the PEM block", len(rest))
	case block.Type != pemCertificate && block.Type != "":
		return nil, fmt.Errorf("PEM type %q, want %s", block.Type, pemCertificate)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse certificate: %w", err)
	}
	if isECDSA(cert.SignatureAlgorithm) && !isCanonical(cert.Signature) {
		return nil, errors.New("certificate signature is not in canonical DER")
	}
	return canonicalCertificate(cert)
}

func isCanonical(sig []byte) bool {
	der, err := reencode(sig)
	return err == nil && bytes.Equal(der, sig)
}

// signedCertificate is the outer SEQUENCE of RFC 5280, section 4.1.
type signedCertificate struct {
	TBS, Algorithm asn1.RawValue
	Signature      asn1.BitString
}

// canonicalCertificate rewrites an ECDSA certificate signature to low-S form, as
// Fabric does before it uses a certificate: otherwise anybody could turn one
// certificate into two that hash differently, and vote twice. A signature that is
// not in canonical DER stays as it is: Fabric verifies it before it rewrites it,
// and Go's verifier, here as there, refuses it.
//
// Fabric takes the curve from the issuer's key. Here no issuer is at hand, and
// none is needed: R and S are spread evenly below the order, so that the
// smallest order above both is the right one but for a chance of 2^-64, and
// then the certificate merely fails to verify.
func canonicalCertificate(cert *x509.Certificate) (*x509.Certificate, error) {
	if !isECDSA(cert.SignatureAlgorithm) {
		return cert, nil
	}
	rs, err := parseECDSA(cert.Signature)
	if err != nil {
		return nil, fmt.Errorf("certificate signature: %w", err)
	}
	curve := issuerCurve(rs)
	if curve == nil || !isCanonical(cert.Signature) {
		return cert, nil // no key verifies it
	}
	sig, err := lowS(curve, cert.Signature)
	if err != nil {
		return nil, fmt.Errorf("certificate signature: %w", err)
	}
	if bytes.Equal(sig, cert.Signature) {
		return cert, nil
	}
	return resigned(cert, sig)
}

// resigned returns the certificate with another signature.
func resigned(cert *x509.Certificate, sig []byte) (*x509.Certificate, error) {
	var parts signedCertificate
	if _, err := asn1.Unmarshal(cert.Raw, &parts); err != nil {
		return nil, fmt.Errorf("split certificate: %w", err)
	}
	parts.Signature = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	der, err := asn1.Marshal(parts)
	if err != nil {
		return nil, fmt.Errorf("join certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

func issuerCurve(rs ecdsaSignature) elliptic.Curve {
	for _, c := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		if n := c.Params().N; rs.R.Cmp(n) < 0 && rs.S.Cmp(n) < 0 {
			return c
		}
	}
	return nil
}

func isECDSA(alg x509.SignatureAlgorithm) bool {
	switch alg {
	case x509.ECDSAWithSHA1, x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return true
	}
	return false
}
