// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
)

func TestValidate(t *testing.T) {
	root, other := rootCA(t, "root"), rootCA(t, "other")
	inner := root.intermediate(t, "inner")
	leafCA := inner.intermediate(t, "leaf CA")
	conf := orgConfig(root)
	conf.IntermediateCerts = [][]byte{inner.pem, leafCA.pem}
	m := newMSP(t, conf, msp.V1_4_3)

	peer := unit("peer")
	serverAuth := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	clientAuth := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	impostor := certify(t, nil, "root", ecKey(t, elliptic.P256()), asCA)

	tests := map[string]struct {
		cert *authority
		want error
	}{
		"issued by a leaf of the CA tree":      {leafCA.issue(t, "p", peer), nil},
		"issued by the root, which issues CAs": {root.issue(t, "p", peer), msp.ErrInvalid},
		"issued by an inner CA":                {inner.issue(t, "p", peer), msp.ErrInvalid},
		"issued by another organization":       {other.issue(t, "p", peer), msp.ErrUnknownCA},
		"issued by a CA of the same name":      {impostor.issue(t, "p", peer), msp.ErrUnknownCA},
		"self-signed":                          {certify(t, nil, "p", ecKey(t, elliptic.P256()), peer), msp.ErrUnknownCA},
		"a CA that the MSP lists":              {leafCA, msp.ErrInvalid},
		"the root":                             {root, msp.ErrInvalid},
		"a CA below a leaf CA":                 {leafCA.intermediate(t, "p", peer), msp.ErrInvalid},
		"issued by an unlisted CA":             {leafCA.intermediate(t, "x").issue(t, "p", peer), msp.ErrUnknownCA},
		"expired long ago":                     {leafCA.issue(t, "p", peer, validity(epoch.Add(-30*time.Minute), epoch.Add(-20*time.Minute))), nil},
		"valid before its CA was":              {leafCA.issue(t, "p", peer, validity(epoch.Add(-48*time.Hour), epoch)), msp.ErrInvalid},
		"extended key usage of servers":        {leafCA.issue(t, "p", peer, serverAuth), nil},
		"extended key usage of clients only":   {leafCA.issue(t, "p", peer, clientAuth), msp.ErrInvalid},
		"P-224":                                {certify(t, leafCA, "p", ecKey(t, elliptic.P224()), peer), nil},
		"P-521":                                {certify(t, leafCA, "p", ecKey(t, elliptic.P521()), peer), nil},
		"RSA":                                  {certify(t, leafCA, "p", rsaKey(t), peer), msp.ErrInvalid},
		"Ed25519 before version 3.0":           {certify(t, leafCA, "p", edKey(t), peer), msp.ErrInvalid},
		"no organizational unit":               {leafCA.issue(t, "p"), msp.ErrInvalid},
		"unit that names no role":              {leafCA.issue(t, "p", unit("sales")), msp.ErrInvalid},
		"role and other units":                 {leafCA.issue(t, "p", unit("sales", "peer", "north")), nil},
		"two roles":                            {leafCA.issue(t, "p", unit("peer", "client")), msp.ErrInvalid},
		"one role twice":                       {leafCA.issue(t, "p", unit("peer", "peer")), msp.ErrInvalid},
		"client":                               {leafCA.issue(t, "p", unit("client")), nil},
		"admin":                                {leafCA.issue(t, "p", unit("admin")), nil},
		"orderer":                              {leafCA.issue(t, "p", unit("orderer")), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id := tt.cert.identity(t, testMSP)
			for range 2 { // the second answer may come from memory
				require.ErrorIs(t, m.Validate(id), tt.want)
			}
		})
	}
}

func TestValidateOtherMSPID(t *testing.T) {
	ca := rootCA(t, "ca")
	leaf := ca.issue(t, "p", unit("peer"))
	m := newMSP(t, orgConfig(ca), msp.V3_0)
	require.NoError(t, m.Validate(leaf.identity(t, testMSP)))
	require.ErrorIs(t, m.Validate(leaf.identity(t, "OtherMSP")), msp.ErrInvalid, "the memory must not forget the MSP ID")
}

func TestExpiredCertificateValidatesButIsNotValid(t *testing.T) {
	ca := rootCA(t, "ca")
	id := ca.issue(t, "p", unit("peer"), validity(epoch, epoch.Add(time.Hour))).identity(t, testMSP)
	m := newMSP(t, orgConfig(ca), msp.V1_4_3)
	require.NoError(t, m.Validate(id))
	require.ErrorIs(t, id.ValidAt(epoch.Add(2*time.Hour)), msp.ErrExpired)
}

func TestEd25519NeedsVersion3(t *testing.T) {
	ca := certify(t, nil, "ca", edKey(t), asCA)
	id := certify(t, ca, "p", edKey(t), unit("peer")).identity(t, testMSP)
	require.ErrorIs(t, newMSP(t, orgConfig(ca), msp.V1_4_3).Validate(id), msp.ErrInvalid)
	require.NoError(t, newMSP(t, orgConfig(ca), msp.V3_0).Validate(id))
}

func TestRSAAuthorityMayIssueECDSAIdentities(t *testing.T) {
	ca := certify(t, nil, "ca", rsaKey(t), asCA)
	require.NoError(t, newMSP(t, orgConfig(ca), msp.V1_4_3).Validate(ca.issue(t, "p", unit("peer")).identity(t, testMSP)))
}

func TestTwoChainsAreRefused(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	a, b := certify(t, nil, "ca", key, asCA), certify(t, nil, "ca", key, asCA, validity(epoch.Add(-2*time.Hour), epoch.Add(time.Hour)))
	_, err := msp.New(orgConfig(a, b), msp.V1_4_3)
	require.NoError(t, err, "each root is its own chain")
	id := a.issue(t, "p", unit("peer")).identity(t, testMSP)
	err = newMSP(t, orgConfig(a, b), msp.V1_4_3).Validate(id)
	require.ErrorIs(t, err, msp.ErrInvalid)
	require.ErrorContains(t, err, "2 chains")
	require.NoError(t, newMSP(t, orgConfig(a, a), msp.V1_4_3).Validate(id), "the same root twice is one")
}

func TestRootListedAsIntermediateToo(t *testing.T) {
	ca := rootCA(t, "ca")
	conf := orgConfig(ca)
	conf.IntermediateCerts = [][]byte{ca.pem}
	require.NoError(t, newMSP(t, conf, msp.V1_4_3).Validate(ca.issue(t, "p", unit("peer")).identity(t, testMSP)))
}

func TestRevocation(t *testing.T) {
	ca, other := rootCA(t, "ca"), rootCA(t, "other")
	revoked, kept := ca.issue(t, "revoked", unit("peer")), ca.issue(t, "kept", unit("peer"))
	forger := certify(t, nil, "ca", ecKey(t, elliptic.P256()), asCA, func(c *x509.Certificate) { c.SubjectKeyId = ca.cert.SubjectKeyId })
	foreign := other.issue(t, "foreign", unit("peer"), func(c *x509.Certificate) { c.SerialNumber = new(big.Int).Set(revoked.cert.SerialNumber) })

	tests := map[string]struct {
		crls [][]byte
		cert *authority
		want error
	}{
		"on the list":                      {[][]byte{ca.crl(t, revoked)}, revoked, msp.ErrRevoked},
		"on the second list":               {[][]byte{ca.crl(t), ca.crl(t, kept, revoked)}, revoked, msp.ErrRevoked},
		"not on the list":                  {[][]byte{ca.crl(t, revoked)}, kept, nil},
		"list of another CA":               {[][]byte{other.crl(t, revoked)}, revoked, nil},
		"list with a forged signature":     {[][]byte{forger.crl(t, revoked)}, revoked, nil},
		"forged list, then a good one":     {[][]byte{forger.crl(t, revoked), ca.crl(t, revoked)}, revoked, msp.ErrRevoked},
		"same serial number of another CA": {[][]byte{ca.crl(t, revoked)}, foreign, nil},
		"no list":                          {nil, revoked, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			conf := orgConfig(ca, other)
			conf.RevocationList = tt.crls
			require.ErrorIs(t, newMSP(t, conf, msp.V1_4_3).Validate(tt.cert.identity(t, testMSP)), tt.want)
		})
	}
}

// Fabric encodes the signature of a list anew, so bytes behind its DER do not
// undo a revocation.
func TestRevocationWithAPaddedSignature(t *testing.T) {
	ca := rootCA(t, "ca")
	revoked := ca.issue(t, "revoked", unit("peer"))
	block, _ := pem.Decode(ca.crl(t, revoked))
	list, err := x509.ParseRevocationList(block.Bytes)
	require.NoError(t, err)
	conf := orgConfig(ca)
	conf.RevocationList = [][]byte{withSignature(t, block.Bytes, append(bytes.Clone(list.Signature), 0))}
	require.ErrorIs(t, newMSP(t, conf, msp.V1_4_3).Validate(revoked.identity(t, testMSP)), msp.ErrRevoked)

	conf.RevocationList = [][]byte{withSignature(t, block.Bytes, []byte("garbage"))}
	_, err = msp.New(conf, msp.V1_4_3)
	require.ErrorIs(t, err, msp.ErrConfig)
	require.ErrorContains(t, err, "revocation list 1")
}

// A real revocation: config block 41 of the sample network revokes User2.
func TestRealRevocation(t *testing.T) {
	_, user2 := realEnvelope(t)
	for _, tt := range []struct {
		file string
		want error
	}{
		{"testdata/org1-block0.pb", nil},
		{"testdata/org1-block41.pb", msp.ErrRevoked},
	} {
		var conf mspproto.FabricMSPConfig
		load(t, tt.file, &conf)
		m := newMSP(t, &conf, msp.V1_4_3)
		require.ErrorIs(t, m.Validate(user2), tt.want, tt.file)
		require.ErrorIs(t, m.IsPeer(user2), map[bool]error{true: msp.ErrPrincipal, false: tt.want}[tt.want == nil])
	}
}

func TestOrganizationalUnitList(t *testing.T) {
	root := rootCA(t, "root")
	north, south := root.intermediate(t, "north"), root.intermediate(t, "south")
	conf := orgConfig(root)
	conf.FabricNodeOus = nil
	conf.IntermediateCerts = [][]byte{north.pem, south.pem}
	conf.Admins = [][]byte{north.issue(t, "admin", unit("sales")).pem}
	list := func(ou string, ca *authority) *mspproto.FabricOUIdentifier {
		return &mspproto.FabricOUIdentifier{Certificate: ca.pem, OrganizationalUnitIdentifier: ou}
	}
	conf.OrganizationalUnitIdentifiers = []*mspproto.FabricOUIdentifier{list("sales", north), list("sales", north), list("labs", south)}
	m := newMSP(t, conf, msp.V1_4_3)

	require.NoError(t, m.Validate(north.issue(t, "a", unit("sales")).identity(t, testMSP)))
	require.NoError(t, m.Validate(south.issue(t, "b", unit("other", "labs")).identity(t, testMSP)))
	require.ErrorIs(t, m.Validate(south.issue(t, "c", unit("sales")).identity(t, testMSP)), msp.ErrInvalid)
	require.ErrorIs(t, m.Validate(north.issue(t, "d", unit("labs")).identity(t, testMSP)), msp.ErrInvalid)
	require.ErrorIs(t, m.Validate(north.issue(t, "e").identity(t, testMSP)), msp.ErrInvalid)

	conf.FabricNodeOus, conf.Admins = nodeOUs(), nil
	m = newMSP(t, conf, msp.V1_4_3)
	require.ErrorIs(t, m.Validate(north.issue(t, "f", unit("peer")).identity(t, testMSP)), msp.ErrInvalid, "the list counts beside NodeOUs")
	require.ErrorIs(t, m.Validate(north.issue(t, "g", unit("sales")).identity(t, testMSP)), msp.ErrInvalid, "and NodeOUs beside the list")
	require.NoError(t, m.Validate(north.issue(t, "h", unit("peer", "sales")).identity(t, testMSP)))
}

func TestNodeOUCertifier(t *testing.T) {
	root := rootCA(t, "root")
	north, south := root.intermediate(t, "north"), root.intermediate(t, "south")
	conf := orgConfig(root)
	conf.IntermediateCerts = [][]byte{north.pem, south.pem}
	conf.FabricNodeOus.PeerOuIdentifier.Certificate = north.pem
	for _, v := range []msp.Version{msp.V1_4_3, msp.V3_0} {
		m := newMSP(t, conf, v)
		require.NoError(t, m.IsPeer(north.issue(t, "a", unit("peer")).identity(t, testMSP)))
		require.ErrorIs(t, m.IsPeer(south.issue(t, "b", unit("peer")).identity(t, testMSP)), msp.ErrInvalid)
		require.NoError(t, m.Validate(south.issue(t, "c", unit("client")).identity(t, testMSP)))
	}
}

func TestIsPeer(t *testing.T) {
	ca := rootCA(t, "ca")
	peer, client := ca.issue(t, "p", unit("peer")), ca.issue(t, "c", unit("client"))
	m := newMSP(t, orgConfig(ca), msp.V1_4_3)
	require.True(t, m.NodeOUs())
	require.NoError(t, m.IsPeer(peer.identity(t, testMSP)))
	require.ErrorIs(t, m.IsPeer(client.identity(t, testMSP)), msp.ErrPrincipal)
	require.ErrorIs(t, m.IsPeer(rootCA(t, "x").issue(t, "p", unit("peer")).identity(t, testMSP)), msp.ErrUnknownCA)

	conf := orgConfig(ca)
	conf.FabricNodeOus, conf.Admins = nil, [][]byte{client.pem}
	m = newMSP(t, conf, msp.V1_4_3)
	require.False(t, m.NodeOUs())
	require.NoError(t, m.IsPeer(client.identity(t, testMSP)), "without NodeOUs any member may")
}

func TestNodeOUsByVersion(t *testing.T) {
	ca := rootCA(t, "ca")
	tests := map[string]struct {
		version msp.Version
		ous     []string
		want    error
	}{
		"1.0 knows no NodeOUs":          {msp.V1_0, []string{"peer", "client"}, nil},
		"1.1 peer":                      {msp.V1_1, []string{"peer"}, nil},
		"1.1 peer and client":           {msp.V1_1, []string{"peer", "client"}, msp.ErrInvalid},
		"1.1 does not know admin":       {msp.V1_1, []string{"admin"}, msp.ErrInvalid},
		"1.3 peer beside unknown admin": {msp.V1_3, []string{"peer", "admin"}, nil},
		"1.4.3 peer and admin":          {msp.V1_4_3, []string{"peer", "admin"}, msp.ErrInvalid},
		"3.0 orderer":                   {msp.V3_0, []string{"orderer"}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMSP(t, orgConfig(ca), tt.version)
			require.ErrorIs(t, m.Validate(ca.issue(t, "x", unit(tt.ous...)).identity(t, testMSP)), tt.want)
		})
	}
}

// Go dropped this rule after 1.14, Fabric kept it.
func TestLegacyNameConstraints(t *testing.T) {
	ca := rootCA(t, "ca", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} })
	named := func(c *x509.Certificate) { c.DNSNames = []string{"peer0.example.com"} }
	m := newMSP(t, orgConfig(ca), msp.V1_4_3)
	tests := map[string]struct {
		cert *authority
		want error
	}{
		"host name, no alternative names": {ca.issue(t, "peer0.example.com", unit("peer")), msp.ErrInvalid},
		"wildcard":                        {ca.issue(t, "*.example.com.", unit("peer")), msp.ErrInvalid},
		"with alternative names":          {ca.issue(t, "peer0.example.com", unit("peer"), named), nil},
		"a name with a blank":             {ca.issue(t, "Peer Zero", unit("peer")), nil},
		"an e-mail address":               {ca.issue(t, "User1@example.com", unit("peer")), nil},
		"a label that starts with -":      {ca.issue(t, "-peer.example.com", unit("peer")), nil},
		"an empty label":                  {ca.issue(t, "peer..example.com", unit("peer")), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, m.Validate(tt.cert.identity(t, testMSP)), tt.want)
		})
	}
}
