// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"testing"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
)

func TestRealConfiguration(t *testing.T) {
	var conf mspproto.FabricMSPConfig
	load(t, "testdata/org1-block0.pb", &conf)
	m := newMSP(t, &conf, msp.V1_4_3)
	require.Equal(t, "Org1MSP", m.ID())
	require.Equal(t, msp.V1_4_3, m.Version())
	require.True(t, m.NodeOUs())
	require.Len(t, m.TLSRoots(), 1)
	require.Equal(t, conf.GetTlsRootCerts()[0], m.TLSRoots()[0])

	roots := m.Roots()
	require.Len(t, roots, 1)
	ca, err := x509.ParseCertificate(roots[0])
	require.NoError(t, err)
	require.Equal(t, "ca.org1.example.com", ca.Subject.CommonName)

	peer, err := msp.NewIdentity("Org1MSP", read(t, "testdata/org1/signcerts/peer0.org1.example.com-cert.pem"))
	require.NoError(t, err)
	require.NoError(t, m.IsPeer(peer))
}

func TestNewRefuses(t *testing.T) {
	ca, other := rootCA(t, "ca"), rootCA(t, "other")
	leaf := ca.issue(t, "leaf", unit("peer"))
	inner := ca.intermediate(t, "inner")
	deep := inner.intermediate(t, "deep")

	tests := map[string]struct {
		change func(*mspproto.FabricMSPConfig)
		says   string
	}{
		"no name":                       {func(c *mspproto.FabricMSPConfig) { c.Name = "" }, "no MSP ID"},
		"no root":                       {func(c *mspproto.FabricMSPConfig) { c.RootCerts = nil }, "no root CA"},
		"root is garbage":               {func(c *mspproto.FabricMSPConfig) { c.RootCerts[0] = []byte("x") }, "root CA 1: no PEM block"},
		"root is no certificate":        {func(c *mspproto.FabricMSPConfig) { c.RootCerts[0] = certPEM([]byte("x")) }, "parse certificate"},
		"root is a leaf":                {func(c *mspproto.FabricMSPConfig) { c.RootCerts[0] = leaf.pem }, "not a CA certificate"},
		"stray intermediate":            {func(c *mspproto.FabricMSPConfig) { c.IntermediateCerts = [][]byte{other.intermediate(t, "stray").pem} }, "stray"},
		"intermediate's issuer missing": {func(c *mspproto.FabricMSPConfig) { c.IntermediateCerts = [][]byte{deep.pem} }, "deep"},
		"revoked intermediate": {func(c *mspproto.FabricMSPConfig) {
			c.IntermediateCerts, c.RevocationList = [][]byte{inner.pem}, [][]byte{ca.crl(t, inner)}
		}, "revoked"},
		"signing identity of a stranger": {func(c *mspproto.FabricMSPConfig) {
			c.SigningIdentity = &mspproto.SigningIdentityInfo{PublicSigner: other.issue(t, "signer").pem}
		}, "signing identity"},
		"signing identity without a key": {func(c *mspproto.FabricMSPConfig) {
			c.SigningIdentity = &mspproto.SigningIdentityInfo{PublicSigner: leaf.pem}
		}, "without a key"},
		"garbage CRL":            {func(c *mspproto.FabricMSPConfig) { c.RevocationList = [][]byte{[]byte("x")} }, "revocation list 1"},
		"TLS root is a leaf":     {func(c *mspproto.FabricMSPConfig) { c.TlsRootCerts = [][]byte{leaf.pem} }, "TLS CA"},
		"stray TLS intermediate": {func(c *mspproto.FabricMSPConfig) { c.TlsIntermediateCerts = [][]byte{inner.pem} }, "TLS CA"},
		"OU of a foreign CA": {func(c *mspproto.FabricMSPConfig) {
			c.OrganizationalUnitIdentifiers = []*mspproto.FabricOUIdentifier{{Certificate: other.pem, OrganizationalUnitIdentifier: "sales"}}
		}, "neither a root nor an intermediate"},
		"NodeOU of an inner CA": {func(c *mspproto.FabricMSPConfig) {
			c.IntermediateCerts = [][]byte{inner.pem, deep.pem}
			c.FabricNodeOus.PeerOuIdentifier.Certificate = inner.pem
		}, "issues other CAs"},
		"no administrators":   {func(c *mspproto.FabricMSPConfig) { c.FabricNodeOus.AdminOuIdentifier = nil }, "no administrators"},
		"admin is garbage":    {func(c *mspproto.FabricMSPConfig) { c.Admins = [][]byte{[]byte("x")} }, "administrator 1"},
		"admin is a peer":     {func(c *mspproto.FabricMSPConfig) { c.Admins = [][]byte{leaf.pem} }, "administrator 1"},
		"admin of another CA": {func(c *mspproto.FabricMSPConfig) { c.Admins = [][]byte{other.issue(t, "a", unit("admin")).pem} }, "unknown CA"},
		"admin without NodeOUs, invalid": {func(c *mspproto.FabricMSPConfig) {
			c.FabricNodeOus, c.Admins = nil, [][]byte{inner.pem}
		}, "administrator 1"},
		"unknown identity hash": {func(c *mspproto.FabricMSPConfig) {
			c.CryptoConfig = &mspproto.FabricCryptoConfig{IdentityIdentifierHashFunction: "MD5"}
		}, `"MD5" is not known`},
		"root that another CA has issued": {func(c *mspproto.FabricMSPConfig) { c.RootCerts = [][]byte{inner.pem} }, "not self-signed"},
		"admin of an inner CA": {func(c *mspproto.FabricMSPConfig) {
			c.IntermediateCerts = [][]byte{inner.pem, deep.pem}
			c.Admins = [][]byte{inner.issue(t, "a", unit("admin")).pem}
		}, "issues CAs, not identities"},
		"admin is a CA": {func(c *mspproto.FabricMSPConfig) { c.Admins = [][]byte{ca.intermediate(t, "a", unit("admin")).pem} }, "administrator 1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			conf := orgConfig(ca)
			tt.change(conf)
			_, err := msp.New(conf, msp.V1_4_3)
			require.ErrorIs(t, err, msp.ErrConfig)
			require.ErrorContains(t, err, tt.says)
		})
	}
	_, err := msp.New(nil, msp.V3_0)
	require.ErrorIs(t, err, msp.ErrConfig)
	_, err = msp.New(orgConfig(ca), msp.Version(9))
	require.ErrorIs(t, err, msp.ErrConfig)
}

func TestRootWithoutSubjectKeyIdentifier(t *testing.T) {
	ca := rootCA(t, "ca")
	// CreateCertificate always writes the identifier of a CA: rename its OID.
	oid := []byte{0x06, 0x03, 0x55, 0x1d, 0x0e}
	der := bytes.Replace(ca.cert.Raw, oid, []byte{0x06, 0x03, 0x55, 0x1d, 0x63}, 1)
	require.NotEqual(t, ca.cert.Raw, der)
	conf := orgConfig(ca)
	conf.RootCerts[0] = certPEM(der)
	_, err := msp.New(conf, msp.V1_4_3)
	require.ErrorIs(t, err, msp.ErrConfig)
	require.ErrorContains(t, err, "no subject key identifier")
}

func TestVersionsBefore143(t *testing.T) {
	ca := rootCA(t, "ca")
	conf := orgConfig(ca)
	conf.FabricNodeOus.AdminOuIdentifier = nil
	newMSP(t, conf, msp.V1_3) // needs no administrator

	conf.FabricNodeOus.PeerOuIdentifier = nil
	_, err := msp.New(conf, msp.V1_1)
	require.ErrorContains(t, err, "both client and peer need one")
	newMSP(t, conf, msp.V1_0) // does not look at NodeOUs

	conf = orgConfig(ca)
	conf.Admins = [][]byte{ca.issue(t, "a", unit("peer")).pem}
	_, err = msp.New(conf, msp.V1_3)
	require.ErrorContains(t, err, "administrator 1")
	conf.Admins = [][]byte{ca.issue(t, "a", unit("client")).pem}
	newMSP(t, conf, msp.V1_3)
}

func TestNodeOUsWithoutRolesAreOff(t *testing.T) {
	ca := rootCA(t, "ca")
	conf := orgConfig(ca)
	conf.FabricNodeOus = &mspproto.FabricNodeOUs{Enable: true}
	conf.Admins = [][]byte{ca.issue(t, "a").pem}
	m := newMSP(t, conf, msp.V1_4_3)
	require.False(t, m.NodeOUs())
	require.NoError(t, m.Validate(ca.issue(t, "x", unit("peer", "client")).identity(t, testMSP)))
}

func TestTLSRootsIncludeIntermediates(t *testing.T) {
	ca, tls := rootCA(t, "ca"), rootCA(t, "tls", validity(epoch.AddDate(-2, 0, 0), epoch.AddDate(-1, 0, 0)))
	inner := certify(t, tls, "tls inner", ecKey(t, elliptic.P256()), asCA, validity(epoch.AddDate(-2, 0, 0), epoch))
	conf := orgConfig(ca)
	conf.TlsRootCerts, conf.TlsIntermediateCerts = [][]byte{tls.pem}, [][]byte{inner.pem}
	m := newMSP(t, conf, msp.V3_0) // although the TLS root has expired
	require.Equal(t, [][]byte{tls.pem, inner.pem}, m.TLSRoots())
	conf.TlsRootCerts[0][0] = 'x'
	require.Equal(t, byte('-'), m.TLSRoots()[0][0], "the MSP keeps no reference to its configuration")
}

func TestVersionString(t *testing.T) {
	require.Equal(t, "1.4.3", msp.V1_4_3.String())
	require.Equal(t, "3.0", msp.V3_0.String())
	require.Equal(t, "Version(9)", msp.Version(9).String())
}
