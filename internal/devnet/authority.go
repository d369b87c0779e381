// SPDX-License-Identifier: Apache-2.0

package devnet

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

const (
	// backdate lets material be used by a machine whose clock is a little behind the one that made it.
	backdate = time.Hour
	// lifetime is what cryptogen gives: ten years.
	lifetime = 10 * 365 * 24 * time.Hour
)

// authority is one certificate authority: its own certificate, its key and what it has revoked.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	revoked     []x509.RevocationListEntry
	crl         []byte // PEM; nil until something is revoked
}

// newAuthority makes a self-signed root.
func newAuthority(cn, org string, now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of %s: %w", cn, err)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{org}, CommonName: cn},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	a := &authority{certificate: template, key: key}
	a.certificate, err = a.sign(template, &key.PublicKey, now)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// issue makes a key and a certificate for it after template.
func (a *authority) issue(template *x509.Certificate, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make the key of %s: %w", template.Subject.CommonName, err)
	}
	certificate, err := a.certify(template, key, now)
	return certificate, key, err
}

// certify makes a certificate for a key after template.
func (a *authority) certify(template *x509.Certificate, key *ecdsa.PrivateKey, now time.Time) (*x509.Certificate, error) {
	template.BasicConstraintsValid = true
	return a.sign(template, &key.PublicKey, now)
}

// sign fills in serial, validity unless there is one, and key identifier (SHA-256 of the point, Fabric's rule) and signs with low S.
func (a *authority) sign(template *x509.Certificate, public *ecdsa.PublicKey, now time.Time) (*x509.Certificate, error) {
	name := template.Subject.CommonName
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw the serial of %s: %w", name, err)
	}
	id, err := keyID(public)
	if err != nil {
		return nil, fmt.Errorf("identify the key of %s: %w", name, err)
	}
	template.SerialNumber = serial.Add(serial, big.NewInt(1))
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = now.Add(-backdate).UTC(), now.Add(lifetime).UTC()
	}
	template.SubjectKeyId = id
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, public, lowS{a.key})
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", name, err)
	}
	return x509.ParseCertificate(der)
}

// issued says whether certificate came from this authority.
func (a *authority) issued(certificate *x509.Certificate) bool {
	return bytes.Equal(certificate.AuthorityKeyId, a.certificate.SubjectKeyId)
}

// revoke adds certificate to the revocation list and signs the list anew.
func (a *authority) revoke(certificate *x509.Certificate, now time.Time) error {
	entries := append(a.revoked, x509.RevocationListEntry{SerialNumber: certificate.SerialNumber, RevocationTime: now.UTC()})
	list := &x509.RevocationList{
		Number:                    big.NewInt(int64(len(entries))),
		ThisUpdate:                now.Add(-backdate).UTC(),
		NextUpdate:                now.Add(lifetime).UTC(),
		RevokedCertificateEntries: entries,
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.certificate, lowS{a.key})
	if err != nil {
		return fmt.Errorf("sign the revocation list of %s: %w", a.certificate.Subject.CommonName, err)
	}
	a.revoked, a.crl = entries, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	return nil
}

func (a *authority) pem() []byte { return certificatePEM(a.certificate) }

func certificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// keyID is the key identifier by which Fabric looks for a private key: SHA-256 of the uncompressed point.
func keyID(public *ecdsa.PublicKey) ([]byte, error) {
	point, err := public.Bytes()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(point)
	return sum[:], nil
}
