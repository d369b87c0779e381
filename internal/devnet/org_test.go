// SPDX-License-Identifier: Apache-2.0

package devnet_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/internal/devnet"
)

func TestEnrollmentCertificate(t *testing.T) {
	org := newOrg(t, "Org1")
	require.Equal(t, "Org1MSP", org.MSPID)
	require.Equal(t, "org1.example.com", org.Domain)
	root := parse(t, org.MSPConfig().GetRootCerts()[0])
	require.True(t, root.IsCA)
	require.Equal(t, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, root.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign))

	for _, role := range []devnet.Role{devnet.Peer, devnet.Client, devnet.Admin, devnet.Orderer} {
		t.Run(string(role), func(t *testing.T) {
			cert := enroll(t, org, string(role)+"0."+org.Domain, role).Certificate
			require.NoError(t, cert.CheckSignatureFrom(root))
			require.Equal(t, []string{string(role)}, cert.Subject.OrganizationalUnit)
			require.Equal(t, root.SubjectKeyId, cert.AuthorityKeyId)
			require.Len(t, cert.SubjectKeyId, sha256.Size)
			require.False(t, cert.IsCA)
			require.Equal(t, x509.KeyUsageDigitalSignature, cert.KeyUsage)
			require.Equal(t, start.Add(-time.Hour), cert.NotBefore)
			require.True(t, cert.NotAfter.After(start.AddDate(9, 0, 0)))
		})
	}
}

// Of many signatures half would have a high S by chance.
func TestSignaturesHaveLowS(t *testing.T) {
	org := newOrg(t, "Org1")
	for range 16 {
		node := enroll(t, org, "user", devnet.Client)
		requireLowS(t, node.Certificate.Signature)
		msg := []byte("a message")
		signature, err := node.Sign(msg)
		require.NoError(t, err)
		requireLowS(t, signature)
		digest := sha256.Sum256(msg)
		require.True(t, ecdsa.VerifyASN1(&node.Key.PublicKey, digest[:], signature))
	}
}

func requireLowS(t *testing.T, signature []byte) {
	t.Helper()
	var sig struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(signature, &sig)
	require.NoError(t, err)
	require.Empty(t, rest)
	half := new(big.Int).Rsh(elliptic.P256().Params().N, 1)
	require.LessOrEqual(t, sig.S.Cmp(half), 0)
}

func TestSerializedIdentity(t *testing.T) {
	org := newOrg(t, "Org1")
	node := enroll(t, org, "peer0.org1.example.com", devnet.Peer)
	id := &mspproto.SerializedIdentity{}
	require.NoError(t, proto.Unmarshal(node.Serialize(), id))
	require.Equal(t, "Org1MSP", id.GetMspid())
	require.Equal(t, node.CertPEM(), id.GetIdBytes())
}

func TestNamesAreChecked(t *testing.T) {
	for _, name := range []string{"", "1Org", "Org/1", "Org 1", strings.Repeat("o", 42)} {
		_, err := devnet.NewOrg(name, start)
		require.ErrorIs(t, err, devnet.ErrName, "organization %q", name)
	}
	org := newOrg(t, "Org1")
	for _, name := range []string{"", "../peer", "peer 0", strings.Repeat("p", 65)} {
		_, err := org.Enroll(name, devnet.Peer, start)
		require.ErrorIs(t, err, devnet.ErrName, "node %q", name)
	}
}

// In a bubble the clock stands in the year 2000; mutual TLS has to work there.
func TestTLSInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, err := devnet.NewOrg("Org1", time.Now())
		require.NoError(t, err)
		cert, key, err := org.TLS("peer0.org1.example.com", []string{"127.0.0.1", "localhost"}, time.Now())
		require.NoError(t, err)
		pair, err := tls.X509KeyPair(cert, key)
		require.NoError(t, err)
		roots := x509.NewCertPool()
		require.True(t, roots.AppendCertsFromPEM(org.TLSRoot()))

		for _, name := range []string{"peer0.org1.example.com", "127.0.0.1", "localhost"} {
			a, b := net.Pipe()
			server := tls.Server(a, &tls.Config{
				Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert,
				MinVersion: tls.VersionTLS13,
			})
			done := make(chan error, 1)
			go func() { done <- server.Handshake() }()
			client := tls.Client(b, &tls.Config{
				Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS13,
			})
			require.NoError(t, client.Handshake(), name)
			go func() { _, _ = client.Read(make([]byte, 1)) }() // takes the session tickets
			require.NoError(t, <-done, name)
			require.NoError(t, a.Close())
			require.NoError(t, b.Close())
		}
	})
}

func TestRevoke(t *testing.T) {
	org, other := newOrg(t, "Org1"), newOrg(t, "Org2")
	first, second := enroll(t, org, "user1", devnet.Client), enroll(t, org, "user2", devnet.Client)
	require.Empty(t, org.MSPConfig().GetRevocationList())

	require.NoError(t, org.Revoke(first.Certificate, start))
	require.NoError(t, org.Revoke(second.Certificate, start))
	lists := org.MSPConfig().GetRevocationList()
	require.Len(t, lists, 1)
	decoded, _ := pem.Decode(lists[0])
	require.Equal(t, "X509 CRL", decoded.Type)
	crl, err := x509.ParseRevocationList(decoded.Bytes)
	require.NoError(t, err)
	require.NoError(t, crl.CheckSignatureFrom(parse(t, org.MSPConfig().GetRootCerts()[0])))
	require.Equal(t, first.Certificate.AuthorityKeyId, crl.AuthorityKeyId)
	require.Len(t, crl.RevokedCertificateEntries, 2)
	require.Equal(t, first.Certificate.SerialNumber, crl.RevokedCertificateEntries[0].SerialNumber)
	require.Equal(t, second.Certificate.SerialNumber, crl.RevokedCertificateEntries[1].SerialNumber)

	require.ErrorIs(t, other.Revoke(first.Certificate, start), devnet.ErrNotIssued)
}

func TestRotateCA(t *testing.T) {
	org := newOrg(t, "Org1")
	before := enroll(t, org, "peer0", devnet.Peer)
	require.NotEmpty(t, org.MSPConfig().GetFabricNodeOus().GetPeerOuIdentifier().GetCertificate())
	require.NoError(t, org.RotateCA(start))
	after := enroll(t, org, "peer1", devnet.Peer)

	conf := org.MSPConfig()
	require.Len(t, conf.GetRootCerts(), 2)
	require.Empty(t, conf.GetFabricNodeOus().GetPeerOuIdentifier().GetCertificate())
	require.NoError(t, before.Certificate.CheckSignatureFrom(parse(t, conf.GetRootCerts()[0])))
	require.NoError(t, after.Certificate.CheckSignatureFrom(parse(t, conf.GetRootCerts()[1])))
	require.NoError(t, org.Revoke(before.Certificate, start))

	org.RetireCA()
	require.Equal(t, conf.GetRootCerts()[1:], org.MSPConfig().GetRootCerts())
	require.Empty(t, org.MSPConfig().GetRevocationList())
	require.ErrorIs(t, org.Revoke(before.Certificate, start), devnet.ErrNotIssued)
}

func parse(t *testing.T, raw []byte) *x509.Certificate {
	t.Helper()
	decoded, rest := pem.Decode(raw)
	require.NotNil(t, decoded)
	require.Empty(t, rest)
	cert, err := x509.ParseCertificate(decoded.Bytes)
	require.NoError(t, err)
	return cert
}
