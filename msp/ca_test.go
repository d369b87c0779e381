// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"sync/atomic"
	"testing"
	"time"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
)

// epoch is the time of most tests: where the clock of a synctest bubble starts.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

var serials atomic.Int64

type option func(*x509.Certificate)

func unit(ous ...string) option {
	return func(c *x509.Certificate) { c.Subject.OrganizationalUnit = ous }
}

func validity(from, to time.Time) option {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
}

func asCA(c *x509.Certificate) {
	c.IsCA = true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
}

// authority is a CA made for a test.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	pem  []byte
}

func ecKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	require.NoError(t, err)
	return key
}

func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return key
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return key
}

// certify makes a certificate; without an issuer it signs itself.
func certify(t testing.TB, issuer *authority, cn string, key crypto.Signer, opts ...option) *authority {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	ski := sha256.Sum256(spki)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(serials.Add(1)),
		Subject:               pkix.Name{CommonName: cn},
		NotBefore:             epoch.Add(-time.Hour),
		NotAfter:              epoch.Add(365 * 24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		SubjectKeyId:          ski[:],
	}
	for _, o := range opts {
		o(template)
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{cert: cert, key: key, pem: certPEM(der)}
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func rootCA(t testing.TB, cn string, opts ...option) *authority {
	t.Helper()
	return certify(t, nil, cn, ecKey(t, elliptic.P256()), append([]option{asCA}, opts...)...)
}

func (a *authority) intermediate(t testing.TB, cn string, opts ...option) *authority {
	t.Helper()
	return certify(t, a, cn, ecKey(t, elliptic.P256()), append([]option{asCA}, opts...)...)
}

func (a *authority) issue(t testing.TB, cn string, opts ...option) *authority {
	t.Helper()
	return certify(t, a, cn, ecKey(t, elliptic.P256()), opts...)
}

// crl revokes certificates, in PEM.
func (a *authority) crl(t testing.TB, revoked ...*authority) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: epoch, NextUpdate: epoch.Add(time.Hour)}
	for _, r := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: r.cert.SerialNumber, RevocationTime: epoch})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func (a *authority) identity(t testing.TB, mspID string) *msp.Identity {
	t.Helper()
	id, err := msp.NewIdentity(mspID, a.pem)
	require.NoError(t, err)
	return id
}

func (a *authority) signer(t testing.TB, mspID string) *msp.SigningIdentity {
	t.Helper()
	id, err := msp.NewSigningIdentity(mspID, a.pem, a.key)
	require.NoError(t, err)
	return id
}

const testMSP = "TestMSP"

// nodeOUs turns the four units on, without certifiers.
func nodeOUs() *mspproto.FabricNodeOUs {
	ou := func(name string) *mspproto.FabricOUIdentifier {
		return &mspproto.FabricOUIdentifier{OrganizationalUnitIdentifier: name}
	}
	return &mspproto.FabricNodeOUs{
		Enable:              true,
		ClientOuIdentifier:  ou("client"),
		PeerOuIdentifier:    ou("peer"),
		AdminOuIdentifier:   ou("admin"),
		OrdererOuIdentifier: ou("orderer"),
	}
}

// orgConfig is a configuration of roots with NodeOUs.
func orgConfig(roots ...*authority) *mspproto.FabricMSPConfig {
	conf := &mspproto.FabricMSPConfig{Name: testMSP, FabricNodeOus: nodeOUs()}
	for _, r := range roots {
		conf.RootCerts = append(conf.RootCerts, r.pem)
	}
	return conf
}

func newMSP(t testing.TB, conf *mspproto.FabricMSPConfig, v msp.Version) *msp.MSP {
	t.Helper()
	m, err := msp.New(conf, v)
	require.NoError(t, err)
	return m
}
