// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"math/big"
	"testing"

	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
)

// The hash family of an organization says what its members sign; one that is not known is no reason to refuse the
// configuration, but no signature holds under it.
func TestHashFamilies(t *testing.T) {
	ca := rootCA(t, "ca")
	p, ed := ca.issue(t, "p", unit("peer")), certify(t, ca, "ed", edKey(t), unit("peer"))
	id, text := p.identity(t, testMSP), []byte("message")
	sha2, sha3 := sha256.Sum256(text), sha3.Sum256(text)
	edSig, err := ed.signer(t, testMSP).Sign(text)
	require.NoError(t, err)

	for family, want := range map[string][]byte{"": sha2[:], "SHA2": sha2[:], "SHA3": sha3[:], "MD5": nil} {
		conf := orgConfig(ca)
		conf.CryptoConfig = &mspproto.FabricCryptoConfig{SignatureHashFamily: family}
		m := newMSP(t, conf, msp.V3_0)
		require.NoError(t, m.Validate(id))
		for _, digest := range [][]byte{sha2[:], sha3[:]} {
			err := m.Verify(id, text, lowSignature(t, p, digest))
			require.Equal(t, string(digest) == string(want), err == nil, "%q: %v", family, err)
		}
		require.NoError(t, m.Verify(ed.identity(t, testMSP), text, edSig), "%q: Ed25519 signs the message itself", family)
	}
}

func TestIdentityHashFunctions(t *testing.T) {
	ca := rootCA(t, "ca")
	id, chain := ca.issue(t, "p", unit("peer")).identity(t, testMSP), ca.identity(t, testMSP).Certificate().Raw
	a, b := sha256.Sum256(chain), sha512.Sum384(chain)
	c, d := sha3.Sum256(chain), sha3.Sum384(chain)
	for function, certifier := range map[string][]byte{"": a[:], "SHA256": a[:], "SHA384": b[:], "SHA3_256": c[:], "SHA3_384": d[:]} {
		conf := orgConfig(ca)
		conf.CryptoConfig = &mspproto.FabricCryptoConfig{IdentityIdentifierHashFunction: function}
		require.NoError(t, newMSP(t, conf, msp.V3_0).Satisfies(id, principal(t, mspproto.MSPPrincipal_ORGANIZATION_UNIT, &mspproto.OrganizationUnit{
			MspIdentifier: testMSP, OrganizationalUnitIdentifier: "peer", CertifiersIdentifier: certifier,
		})), function)
	}
}

func lowSignature(t *testing.T, a *authority, digest []byte) []byte {
	t.Helper()
	sig, err := ecdsa.SignASN1(rand.Reader, a.key.(*ecdsa.PrivateKey), digest)
	require.NoError(t, err)
	if v := split(t, sig); v.S.Cmp(new(big.Int).Rsh(elliptic.P256().Params().N, 1)) > 0 {
		return twinSignature(t, elliptic.P256(), sig)
	}
	return sig
}
