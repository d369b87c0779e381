// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"
)

var oidSubjectKeyID = asn1.ObjectIdentifier{2, 5, 29, 14}

// certifier identifies who issued an organizational unit: SHA-256 over the DER
// of the issuing CA and its chain up to the root.
type certifier [sha256.Size]byte

func certifierOf(chain []*x509.Certificate) certifier {
	h := sha256.New()
	for _, c := range chain {
		h.Write(c.Raw)
	}
	return certifier(h.Sum(nil))
}

// pool is a set of root and intermediate CAs.
type pool struct {
	roots, intermediates []*x509.Certificate
	rootPool, interPool  *x509.CertPool
}

func newPool(roots, intermediates [][]byte) (*pool, error) {
	p := &pool{rootPool: x509.NewCertPool(), interPool: x509.NewCertPool()}
	var err error
	if p.roots, err = parseCAs("root", roots, p.rootPool); err != nil {
		return nil, err
	}
	p.intermediates, err = parseCAs("intermediate", intermediates, p.interPool)
	return p, err
}

func parseCAs(kind string, pems [][]byte, into *x509.CertPool) ([]*x509.Certificate, error) {
	certs := make([]*x509.Certificate, len(pems))
	for i, data := range pems {
		cert, err := firstCertificate(data)
		if err != nil {
			return nil, fmt.Errorf("%s CA %d: %w", kind, i+1, err)
		}
		certs[i] = cert
		into.AddCert(cert)
	}
	return certs, nil
}

// check demands of every CA the CA attribute, a subject key identifier and
// exactly one chain.
func (p *pool) check() error {
	for _, list := range [][]*x509.Certificate{p.roots, p.intermediates} {
		for _, ca := range list {
			if err := p.checkCA(ca); err != nil {
				return fmt.Errorf("CA %q (serial %x): %w", ca.Subject.CommonName, ca.SerialNumber, err)
			}
		}
	}
	return nil
}

func (p *pool) checkCA(ca *x509.Certificate) error {
	if !ca.IsCA {
		return errors.New("not a CA certificate")
	}
	if !hasExtension(ca, oidSubjectKeyID) {
		return errors.New("no subject key identifier")
	}
	_, err := p.chain(ca)
	return err
}

// chain returns the one chain from cert to a root. As in Fabric the clock is
// set to one second after the certificate's own NotBefore, so that expiry does
// not count: blocks stay valid when the certificates of their time expire.
func (p *pool) chain(cert *x509.Certificate) ([]*x509.Certificate, error) {
	chains, err := cert.Verify(x509.VerifyOptions{
		Roots:         p.rootPool,
		Intermediates: p.interPool,
		CurrentTime:   cert.NotBefore.Add(time.Second),
	})
	if err != nil {
		return nil, err
	}
	if len(chains) != 1 {
		return nil, fmt.Errorf("%d chains to a root, exactly one is allowed", len(chains))
	}
	return chains[0], legacyNameConstraints(chains[0])
}

// authorities is the CA tree of an organization.
type authorities struct {
	*pool
	internal map[[32]byte]struct{} // SHA-256 of CAs that have issued another CA
}

func newAuthorities(roots, intermediates [][]byte) (*authorities, error) {
	if len(roots) == 0 {
		return nil, errors.New("no root CA")
	}
	p, err := newPool(roots, intermediates)
	if err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	a := &authorities{pool: p, internal: make(map[[32]byte]struct{})}
	for _, ca := range p.intermediates {
		if err := a.markIssuers(ca); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *authorities) markIssuers(ca *x509.Certificate) error {
	chain, err := a.chain(ca)
	if err != nil {
		return err
	}
	for _, issuer := range chain[1:] {
		a.internal[sha256.Sum256(issuer.Raw)] = struct{}{}
	}
	return nil
}

func (a *authorities) isInternal(ca *x509.Certificate) bool {
	_, ok := a.internal[sha256.Sum256(ca.Raw)]
	return ok
}

// certifier returns the identifier of a CA named in a configuration beside an
// organizational unit. It must be a root, or an intermediate that issues no
// other CA.
func (a *authorities) certifier(pemData []byte) (certifier, error) {
	ca, err := firstCertificate(pemData)
	if err != nil {
		return certifier{}, err
	}
	if contains(a.roots, ca) {
		return certifierOf([]*x509.Certificate{ca}), nil
	}
	if !contains(a.intermediates, ca) {
		return certifier{}, fmt.Errorf("CA %q is neither a root nor an intermediate of this MSP", ca.Subject.CommonName)
	}
	if a.isInternal(ca) {
		return certifier{}, fmt.Errorf("CA %q issues other CAs, it cannot certify organizational units", ca.Subject.CommonName)
	}
	chain, err := a.chain(ca)
	if err != nil {
		return certifier{}, err
	}
	return certifierOf(chain), nil
}

func contains(certs []*x509.Certificate, cert *x509.Certificate) bool {
	for _, c := range certs {
		if c.Equal(cert) {
			return true
		}
	}
	return false
}

func hasExtension(cert *x509.Certificate, oid asn1.ObjectIdentifier) bool {
	for _, ext := range cert.Extensions {
		if ext.Id.Equal(oid) {
			return true
		}
	}
	return false
}
