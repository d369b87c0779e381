// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
)

const nodeOUsYAML = `NodeOUs:
  Enable: true
  ClientOUIdentifier: {Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: client}
  PeerOUIdentifier: {Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: peer}
  AdminOUIdentifier: {Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: admin}
  OrdererOUIdentifier: {Certificate: cacerts/ca.pem, OrganizationalUnitIdentifier: orderer}
`

// mspFolder writes a complete folder of a fresh organization.
func mspFolder(t testing.TB) (dir string, ca, peer *authority) {
	t.Helper()
	dir, ca = t.TempDir(), rootCA(t, "ca")
	peer = ca.issue(t, "peer0", unit("peer"))
	write(t, dir, "cacerts/ca.pem", ca.pem)
	write(t, dir, "tlscacerts/tls.pem", rootCA(t, "tls").pem)
	write(t, dir, "signcerts/peer0.pem", peer.pem)
	write(t, dir, "keystore/priv_sk", pkcs8(t, peer.key))
	write(t, dir, "config.yaml", []byte(nodeOUsYAML))
	return dir, ca, peer
}

func write(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

func pkcs8(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func sec1(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

func TestLoad(t *testing.T) {
	dir, _, peer := mspFolder(t)
	local, err := msp.Load(dir, testMSP)
	require.NoError(t, err)
	require.Empty(t, local.Notes)
	require.Equal(t, msp.V3_0, local.MSP.Version())
	require.NoError(t, local.MSP.IsPeer(local.Signer.Identity))
	require.Equal(t, peer.identity(t, testMSP).Key(), local.Signer.Key())
	require.Nil(t, local.Config.GetSigningIdentity(), "no private key in the configuration")

	sig, err := local.Signer.Sign([]byte("m"))
	require.NoError(t, err)
	require.NoError(t, local.Signer.Verify([]byte("m"), sig))
}

func TestLoadRealFolder(t *testing.T) {
	conf, err := msp.LoadConfig("testdata/org1", "Org1MSP")
	require.NoError(t, err)
	m := newMSP(t, conf, msp.V3_0)
	require.True(t, m.NodeOUs())
	require.Len(t, m.TLSRoots(), 1)

	_, err = msp.Load("testdata/org1", "Org1MSP") // its private keys are not published
	require.ErrorIs(t, err, msp.ErrKeyMismatch)
	require.ErrorContains(t, err, "keystore has no key for testdata/org1/signcerts/peer0.org1.example.com-cert.pem")
}

func TestLoadEverything(t *testing.T) {
	dir, ca, peer := mspFolder(t)
	inner := ca.intermediate(t, "inner")
	member := inner.issue(t, "member", unit("peer", "sales"))
	tls := rootCA(t, "tls")
	write(t, dir, "tlscacerts/tls.pem", tls.pem)
	write(t, dir, "intermediatecerts/inner.pem", inner.pem)
	write(t, dir, "tlsintermediatecerts/inner.pem", tls.intermediate(t, "tls inner").pem)
	write(t, dir, "admincerts/admin.pem", inner.issue(t, "admin", unit("client")).pem)
	write(t, dir, "crls/crl.pem", inner.crl(t, peer))
	write(t, dir, "signcerts/peer0.pem", member.pem)
	write(t, dir, "keystore/member_sk", pkcs8(t, member.key))
	write(t, dir, "config.yaml", []byte(strings.ReplaceAll(nodeOUsYAML, "cacerts/ca.pem", "intermediatecerts/inner.pem")+
		"OrganizationalUnitIdentifiers:\n  - {Certificate: intermediatecerts/inner.pem, OrganizationalUnitIdentifier: sales}\n"))

	local, err := msp.Load(dir, testMSP)
	require.NoError(t, err)
	require.Len(t, local.Config.GetIntermediateCerts(), 1)
	require.Len(t, local.Config.GetAdmins(), 1)
	require.Len(t, local.Config.GetRevocationList(), 1)
	require.Len(t, local.Config.GetTlsIntermediateCerts(), 1)
	require.Len(t, local.MSP.TLSRoots(), 2)
	require.Equal(t, "sales", local.Config.GetOrganizationalUnitIdentifiers()[0].GetOrganizationalUnitIdentifier())
}

func TestKeystoreForms(t *testing.T) {
	dir, ca, peer := mspFolder(t)
	ed := certify(t, ca, "ed", edKey(t), unit("peer"))
	params := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}})
	tests := map[string]struct {
		cert *authority
		key  []byte
		says string // "" when the key is found
	}{
		"PKCS #8":                 {peer, pkcs8(t, peer.key), ""},
		"SEC 1":                   {peer, sec1(t, peer.key), ""},
		"SEC 1 behind parameters": {peer, append(params, sec1(t, peer.key)...), ""},
		"Ed25519":                 {ed, pkcs8(t, ed.key), ""},
		"another key":             {peer, pkcs8(t, ecKey(t, elliptic.P256())), "keystore/key: key of another certificate"},
		"a certificate":           {peer, peer.pem, "keystore/key: no PRIVATE KEY block"},
		"encrypted":               {peer, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}}), "decrypt it first"},
		"garbage in PKCS #8":      {peer, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}), "keystore/key: "},
		"garbage in SEC 1":        {peer, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte{1}}), "keystore/key: "},
		"not PEM":                 {peer, []byte("garbage"), "no PEM files there"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.RemoveAll(filepath.Join(dir, "keystore")))
			write(t, dir, "signcerts/peer0.pem", tt.cert.pem)
			write(t, dir, "keystore/key", tt.key)
			_, err := msp.Load(dir, testMSP)
			if tt.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, msp.ErrKeyMismatch)
			require.ErrorContains(t, err, tt.says)
			require.ErrorContains(t, err, filepath.Join(dir, "signcerts/peer0.pem"))
		})
	}
}

func TestKeyIsFoundAmongOthers(t *testing.T) {
	dir, _, _ := mspFolder(t)
	write(t, dir, "keystore/a_sk", pkcs8(t, ecKey(t, elliptic.P256())))
	write(t, dir, "keystore/b_sk", pkcs8(t, rsaKey(t)))
	write(t, dir, "keystore/README", []byte("not a key"))
	write(t, dir, "signcerts/zzz.pem", rootCA(t, "other").pem) // only the first counts
	local, err := msp.Load(dir, testMSP)
	require.NoError(t, err)
	require.Len(t, local.Notes, 1)
	require.Contains(t, local.Notes[0], filepath.Join(dir, "keystore/README")+" skipped")
}

func TestLoadErrorsNameTheFile(t *testing.T) {
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, name))) }
	}
	put := func(name string, data []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) { write(t, dir, name, data) }
	}
	stranger := rootCA(t, "stranger").issue(t, "peer0", unit("peer"))
	badPEM := certPEM([]byte("garbage"))
	tests := map[string]struct {
		change func(t *testing.T, dir string)
		names  string
		says   string
	}{
		"no folder":                  {remove(""), "cacerts", "put the CA certificate of TestMSP there"},
		"no cacerts":                 {remove("cacerts"), "cacerts", "put the CA certificate"},
		"cacerts holds no PEM":       {put("cacerts/ca.pem", []byte("x")), "cacerts", "has no PEM file"},
		"cacerts is a file":          {func(t *testing.T, d string) { remove("cacerts")(t, d); put("cacerts", nil)(t, d) }, "cacerts", "readable directory"},
		"bad CA":                     {put("cacerts/z.pem", badPEM), "cacerts/z.pem", "replace or remove"},
		"leaf among the CAs":         {put("cacerts/z.pem", stranger.pem), "cacerts/z.pem", "not a CA certificate"},
		"bad intermediate":           {put("intermediatecerts/i.pem", badPEM), "intermediatecerts/i.pem", "replace or remove"},
		"bad administrator":          {put("admincerts/a.pem", badPEM), "admincerts/a.pem", "replace or remove"},
		"bad TLS CA":                 {put("tlscacerts/t.pem", badPEM), "tlscacerts/t.pem", "replace or remove"},
		"bad TLS intermediate":       {put("tlsintermediatecerts/t.pem", badPEM), "tlsintermediatecerts/t.pem", "replace or remove"},
		"bad CRL":                    {put("crls/c.pem", badPEM), "crls/c.pem", "replace or remove"},
		"stray intermediate":         {put("intermediatecerts/i.pem", rootCA(t, "x").intermediate(t, "stray").pem), "", "stray"},
		"bad config.yaml":            {put("config.yaml", []byte("NodeOUs: [")), "config.yaml", "correct the file"},
		"wrong types in config.yaml": {put("config.yaml", []byte("NodeOUs: {Enable: perhaps}")), "config.yaml", "correct the file"},
		"config.yaml is a directory": {func(t *testing.T, d string) { remove("config.yaml")(t, d); put("config.yaml/x", nil)(t, d) }, "config.yaml", "not a regular file"},
		"OU certificate missing": {put("config.yaml", []byte("OrganizationalUnitIdentifiers: [{Certificate: nowhere.pem, OrganizationalUnitIdentifier: sales}]")),
			"nowhere.pem", "certificate of organizational unit \"sales\""},
		"no administrators": {put("config.yaml", nil), "", "no administrators"},
		"no signcerts":      {remove("signcerts"), "signcerts", "put the certificate of this node there"},
		"bad signcert":      {put("signcerts/peer0.pem", badPEM), "signcerts/peer0.pem", "replace the file"},
		"signcert of another CA": {func(t *testing.T, d string) {
			put("signcerts/peer0.pem", stranger.pem)(t, d)
			put("keystore/k", pkcs8(t, stranger.key))(t, d)
		}, "signcerts", "put a certificate of these CAs there"},
		"no keystore": {remove("keystore"), "keystore", "no PEM files there"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir, _, _ := mspFolder(t)
			tt.change(t, dir)
			_, err := msp.Load(dir, testMSP)
			require.Error(t, err)
			require.ErrorContains(t, err, filepath.Join(dir, tt.names))
			require.ErrorContains(t, err, tt.says)
		})
	}
}

func TestHugeFileIsRefused(t *testing.T) {
	dir, _, _ := mspFolder(t)
	path := filepath.Join(dir, "crls", "huge.pem")
	write(t, dir, "crls/huge.pem", nil)
	require.NoError(t, os.Truncate(path, 10<<20+1))
	_, err := msp.LoadConfig(dir, testMSP)
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, "more than 10485760 bytes")
}

// Kubernetes mounts secrets as links into a hidden directory.
func TestKubernetesVolume(t *testing.T) {
	dir, ca, _ := mspFolder(t)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "cacerts")))
	write(t, dir, "cacerts/..2026_01_01/ca.pem", ca.pem)
	require.NoError(t, os.Symlink("..2026_01_01", filepath.Join(dir, "cacerts/..data")))
	require.NoError(t, os.Symlink("..data/ca.pem", filepath.Join(dir, "cacerts/ca.pem")))
	conf, err := msp.LoadConfig(dir, testMSP)
	require.NoError(t, err)
	require.Equal(t, [][]byte{ca.pem}, conf.GetRootCerts())
}

func TestNodeOUCertificateMissingIsNoted(t *testing.T) {
	dir, _, _ := mspFolder(t)
	write(t, dir, "config.yaml", []byte(strings.Replace(nodeOUsYAML, "cacerts/ca.pem", "cacerts/gone.pem", 1)))
	local, err := msp.Load(dir, testMSP)
	require.NoError(t, err)
	require.Len(t, local.Notes, 1)
	require.Contains(t, local.Notes[0], "cacerts/gone.pem cannot be read")
	require.Empty(t, local.Config.GetFabricNodeOus().GetClientOuIdentifier().GetCertificate())
	require.NotEmpty(t, local.Config.GetFabricNodeOus().GetPeerOuIdentifier().GetCertificate())
}

func TestNewLocal(t *testing.T) {
	ca := rootCA(t, "ca")
	peer := ca.issue(t, "p", unit("peer")).signer(t, testMSP)
	local, err := msp.NewLocal(orgConfig(ca), peer)
	require.NoError(t, err)
	require.Same(t, peer, local.Signer)
	_, err = msp.NewLocal(orgConfig(rootCA(t, "x")), peer)
	require.ErrorIs(t, err, msp.ErrUnknownCA)
	_, err = msp.NewLocal(nil, peer)
	require.ErrorIs(t, err, msp.ErrConfig)
}
