// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"testing"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
)

// Fabric makes an identity of a certificate only when it can bring its signature to low S, and asks for no more than that.
func TestRecognizes(t *testing.T) {
	root := rootCA(t, "root")
	inner := root.intermediate(t, "inner")
	outer := inner.intermediate(t, "outer")
	rsaCA := certify(t, nil, "rsa", rsaKey(t), asCA)
	conf := orgConfig(root)
	conf.IntermediateCerts = [][]byte{inner.pem, outer.pem}
	revoked := outer.issue(t, "revoked", unit("peer"))
	conf.RevocationList = [][]byte{outer.crl(t, revoked)}
	m := newMSP(t, conf, msp.V1_4_3)

	tests := map[string]struct {
		cert              *authority
		recognized, valid error
	}{
		"valid":                             {outer.issue(t, "p", unit("peer")), nil, nil},
		"revoked":                           {revoked, nil, msp.ErrRevoked},
		"no role":                           {outer.issue(t, "p"), nil, msp.ErrInvalid},
		"issued by an inner CA":             {inner.issue(t, "p", unit("peer")), nil, msp.ErrInvalid},
		"one of its CAs":                    {outer, nil, msp.ErrInvalid},
		"its root":                          {root, nil, msp.ErrInvalid},
		"Ed25519 before 3.0":                {certify(t, outer, "p", edKey(t), unit("peer")), nil, msp.ErrInvalid},
		"stranger":                          {rootCA(t, "x").issue(t, "p", unit("peer")), msp.ErrUnknownCA, msp.ErrUnknownCA},
		"stranger, signed by himself":       {certify(t, nil, "x", ecKey(t, elliptic.P256()), unit("peer")), msp.ErrUnknownCA, msp.ErrUnknownCA},
		"stranger, signed with RSA":         {rsaCA.issue(t, "p", unit("peer")), nil, msp.ErrUnknownCA},
		"another root":                      {rootCA(t, "x"), nil, msp.ErrInvalid},
		"CA of another root":                {rootCA(t, "x").intermediate(t, "y"), msp.ErrUnknownCA, msp.ErrInvalid},
		"another root that may not sign it": {certify(t, nil, "x", ecKey(t, elliptic.P256()), asCA, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }), msp.ErrUnknownCA, msp.ErrInvalid},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id := tt.cert.identity(t, testMSP)
			require.ErrorIs(t, m.Recognizes(id), tt.recognized)
			require.ErrorIs(t, m.Validate(id), tt.valid)
		})
	}
	require.ErrorIs(t, m.Recognizes(revoked.identity(t, "OtherMSP")), msp.ErrInvalid)
}

// Of a unit's name that is used twice, the later role has it; before 1.4.3 the client.
func TestNodeOUNameUsedTwice(t *testing.T) {
	root := rootCA(t, "root")
	north, south := root.intermediate(t, "north"), root.intermediate(t, "south")
	conf := orgConfig(root)
	conf.IntermediateCerts = [][]byte{north.pem, south.pem}
	conf.FabricNodeOus.ClientOuIdentifier = &mspproto.FabricOUIdentifier{OrganizationalUnitIdentifier: "node", Certificate: north.pem}
	conf.FabricNodeOus.PeerOuIdentifier = &mspproto.FabricOUIdentifier{OrganizationalUnitIdentifier: "node", Certificate: south.pem}
	for version, issuer := range map[msp.Version]*authority{msp.V1_1: north, msp.V1_3: north, msp.V1_4_3: south, msp.V3_0: south} {
		m := newMSP(t, conf, version)
		for _, ca := range []*authority{north, south} {
			err := m.Validate(ca.issue(t, "p", unit("node")).identity(t, testMSP))
			require.Equal(t, ca == issuer, err == nil, "%s of %s: %v", version, ca.cert.Subject.CommonName, err)
		}
	}
}
