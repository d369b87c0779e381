// SPDX-License-Identifier: Apache-2.0

package msp

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"
)

var oidSubjectKeyID = asn1.ObjectIdentifier{2, 5, 29, 14}

// certifier identifies who issued an organizational unit: the hash over the DER
// of the issuing CA and its chain up to the root, by the identity hash of the
// configuration.
type certifier string

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

// recognize is Fabric's condition for reading a certificate at all, weaker than
// its being valid. To bring an ECDSA signature to low S, Fabric asks the issuer
// for its curve, so that there must be exactly one chain, with an issuer in it;
// a self-signed CA is its own. Certificates with other signatures all pass.
func (p *pool) recognize(cert *x509.Certificate) error {
	if !isECDSA(cert.SignatureAlgorithm) {
		return nil
	}
	if cert.IsCA && cert.CheckSignatureFrom(cert) == nil {
		own := &pool{rootPool: x509.NewCertPool(), interPool: p.interPool}
		own.rootPool.AddCert(cert)
		_, err := own.chain(cert)
		return err
	}
	chain, err := p.chain(cert)
	if err == nil && len(chain) < 2 {
		err = errors.New("it is a root, but not self-signed")
	}
	return err
}

// authorities is the CA tree of an organization.
type authorities struct {
	*pool
	internal map[[32]byte]struct{} // SHA-256 of CAs that have issued another CA
	hash     func() hash.Hash      // makes certifiers
}

func newAuthorities(roots, intermediates [][]byte, newHash func() hash.Hash) (*authorities, error) {
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
	a := &authorities{pool: p, internal: make(map[[32]byte]struct{}), hash: newHash}
	for _, ca := range slices.Concat(p.roots, p.intermediates) {
		if err := p.recognize(ca); err != nil {
			return nil, fmt.Errorf("CA %q (serial %x): %w", ca.Subject.CommonName, ca.SerialNumber, err)
		}
	}
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

// certification returns the chain of an identity: not a CA, exactly one chain,
// whose first issuer has issued no other CA.
func (a *authorities) certification(cert *x509.Certificate) ([]*x509.Certificate, error) {
	if cert.IsCA {
		return nil, errors.New("a CA certificate cannot be an identity")
	}
	chain, err := a.chain(cert)
	if err != nil {
		return nil, err
	}
	if len(chain) < 2 {
		return nil, errors.New("it is a root of trust, not an identity")
	}
	if a.isInternal(chain[1]) {
		return nil, fmt.Errorf("its issuer %q issues CAs, not identities", chain[1].Subject.CommonName)
	}
	return chain, nil
}

func (a *authorities) certifierOf(chain []*x509.Certificate) certifier {
	h := a.hash()
	for _, c := range chain {
		h.Write(c.Raw)
	}
	return certifier(h.Sum(nil))
}

// certifier returns the identifier of a CA named in a configuration beside an
// organizational unit. It must be a root, or an intermediate that issues no
// other CA.
func (a *authorities) certifier(pemData []byte) (certifier, error) {
	ca, err := firstCertificate(pemData)
	if err != nil {
		return "", err
	}
	if contains(a.roots, ca) {
		return a.certifierOf([]*x509.Certificate{ca}), nil
	}
	if !contains(a.intermediates, ca) {
		return "", fmt.Errorf("CA %q is neither a root nor an intermediate of this MSP", ca.Subject.CommonName)
	}
	if a.isInternal(ca) {
		return "", fmt.Errorf("CA %q issues other CAs, it cannot certify organizational units", ca.Subject.CommonName)
	}
	chain, err := a.chain(ca)
	if err != nil {
		return "", err
	}
	return a.certifierOf(chain), nil
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
