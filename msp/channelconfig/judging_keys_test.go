// SPDX-License-Identifier: Apache-2.0

package channelconfig_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"time"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/internal/devnet"
)

// makeKeys has orderers with keys of all kinds, and other hashes than SHA-256.
func makeKeys(c *chainMaker) {
	c.begin(c.network(2, devnet.Channel{}))
	o, all := c.orderers, c.keyHolders()
	c.judgeKeys("unknown CA", all)
	c.change("a second root", o[:1], alterMSP("Orderer", func(m *mspproto.FabricMSPConfig) {
		m.RootCerts = append(m.RootCerts, all[0].ca)
		for _, ou := range []*mspproto.FabricOUIdentifier{
			m.FabricNodeOus.OrdererOuIdentifier, m.FabricNodeOus.AdminOuIdentifier, m.FabricNodeOus.ClientOuIdentifier, m.FabricNodeOus.PeerOuIdentifier,
		} {
			ou.Certificate = nil
		}
	}))
	c.judgeKeys("V2_0", all)
	c.change("V3_0", o[:1], capability("", "V3_0"))
	c.judgeKeys("V3_0", all)
	for _, family := range []string{"SHA3", "SHA1"} {
		b := c.branch()
		b.change("hash family "+family, o[:1], alterMSP("Orderer", func(m *mspproto.FabricMSPConfig) { m.CryptoConfig.SignatureHashFamily = family }))
		b.judge(b.next(o[0]), family+": by an orderer that hashes with SHA-256")
		b.judgeKeys(family, all)
		c.branches = append(c.branches, b)
	}
	c.goOn(c.next(o[0]), "an honest block")
}

func (c *chainMaker) judgeKeys(when string, all []keyHolder) {
	for _, k := range all {
		c.judge(c.signedByCreator(c.unsigned(), k.creator, k), when+": "+k.kind)
	}
}

// keyHolder is an orderer with any key, which hashes in any way.
type keyHolder struct {
	kind    string
	ca      []byte // PEM
	creator []byte
	key     crypto.Signer
	digest  func([]byte) []byte
}

func (k keyHolder) Serialize() []byte { return k.creator }

// Sign signs the digest, with a low S where there is one.
func (k keyHolder) Sign(msg []byte) ([]byte, error) {
	key, ok := k.key.(*ecdsa.PrivateKey)
	if !ok {
		hash := crypto.SHA256
		if _, ed := k.key.(ed25519.PrivateKey); ed {
			hash = 0
		}
		return k.key.Sign(rand.Reader, k.digest(msg), hash)
	}
	der, err := ecdsa.SignASN1(rand.Reader, key, k.digest(msg))
	if err != nil {
		return nil, err
	}
	return scalars(der, func(_, s *big.Int) {
		n := key.Params().N
		if s.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
			s.Sub(n, s)
		}
	}), nil
}

func (c *chainMaker) keyHolders() (all []keyHolder) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(c, err)
	root := c.certificate("root", nil, caKey.Public(), caKey)
	whole := func(msg []byte) []byte { return msg }
	sha2 := func(msg []byte) []byte { sum := sha256.Sum256(msg); return sum[:] }
	add := func(kind string, key crypto.Signer, digest func([]byte) []byte) {
		leaf := c.certificate(kind, root, key.Public(), caKey)
		for form, der := range map[string][]byte{"": leaf.Raw, ", other S in the certificate": c.twin(leaf.Raw)} {
			id := &mspproto.SerializedIdentity{Mspid: c.ordering.MSPID, IdBytes: certificateOf(der)}
			all = append(all, keyHolder{kind + form, certificateOf(root.Raw), marshal(id), key, digest})
		}
	}
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(c, err)
		add(curve.Params().Name, key, sha2)
		add(curve.Params().Name+" with SHA-384", key, func(msg []byte) []byte { sum := sha512.Sum384(msg); return sum[:] })
		add(curve.Params().Name+" with SHA3-256", key, func(msg []byte) []byte { sum := sha3.Sum256(msg); return sum[:] })
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(c, err)
	add("Ed25519", ed, whole)
	add("Ed25519 of the digest", ed, sha2)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(c, err)
	add("RSA", rsaKey, sha2)
	return all
}

// certificate makes a root without an issuer, or the certificate of an orderer.
func (c *chainMaker) certificate(name string, issuer *x509.Certificate, public crypto.PublicKey, ca crypto.Signer) *x509.Certificate {
	spki, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(c, err)
	ski := sha256.Sum256(spki)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(ski[:16]), SubjectKeyId: ski[:], BasicConstraintsValid: true,
		Subject:   pkix.Name{CommonName: name, OrganizationalUnit: []string{"orderer"}},
		NotBefore: c.now.Add(-time.Hour), NotAfter: c.now.Add(9 * 365 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, IsCA: issuer == nil,
	}
	if issuer == nil {
		issuer, template.KeyUsage = template, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, public, ca)
	require.NoError(c, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(c, err)
	return certificate
}

// twin writes a certificate with the other S that its signature, with P-256, may have.
func (c *chainMaker) twin(der []byte) []byte {
	var outer struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	_, err := asn1.Unmarshal(der, &outer)
	require.NoError(c, err)
	outer.Signature.Bytes = scalars(outer.Signature.Bytes, highS)
	outer.Signature.BitLength = 8 * len(outer.Signature.Bytes)
	der, err = asn1.Marshal(outer)
	require.NoError(c, err)
	return der
}

func certificateOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
