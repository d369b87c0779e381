// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
)

type rs struct{ R, S *big.Int }

func split(t *testing.T, sig []byte) rs {
	t.Helper()
	var v rs
	rest, err := asn1.Unmarshal(sig, &v)
	require.NoError(t, err)
	require.Empty(t, rest)
	return v
}

func join(t *testing.T, v rs) []byte {
	t.Helper()
	sig, err := asn1.Marshal(v)
	require.NoError(t, err)
	return sig
}

func TestSignaturesOfEveryKey(t *testing.T) {
	keys := map[string]crypto.Signer{
		"P-224":   ecKey(t, elliptic.P224()),
		"P-256":   ecKey(t, elliptic.P256()),
		"P-384":   ecKey(t, elliptic.P384()),
		"P-521":   ecKey(t, elliptic.P521()),
		"Ed25519": edKey(t),
	}
	ca := rootCA(t, "ca")
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			id := certify(t, ca, "signer", key).signer(t, testMSP)
			msg := []byte("a message")
			for range 8 { // half of all raw ECDSA signatures have a high S
				sig, err := id.Sign(msg)
				require.NoError(t, err)
				require.NoError(t, id.Verify(msg, sig))
				require.ErrorIs(t, id.Verify([]byte("another message"), sig), msp.ErrSignature)
			}
			require.ErrorIs(t, id.Verify(msg, nil), msp.ErrSignature)
			require.ErrorIs(t, id.Verify(msg, []byte("garbage")), msp.ErrSignature)
		})
	}
}

func TestECDSASignatureRules(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	id := certify(t, rootCA(t, "ca"), "signer", key).signer(t, testMSP)
	msg, n := []byte("a message"), key.Params().N
	sig, err := id.Sign(msg)
	require.NoError(t, err)
	low := split(t, sig)
	high := rs{low.R, new(big.Int).Sub(n, low.S)}

	digest := sha256.Sum256(msg)
	require.True(t, ecdsa.VerifyASN1(&key.PublicKey, digest[:], join(t, high)), "the twin is a good ECDSA signature")

	tests := map[string]struct {
		sig []byte
		ok  bool
	}{
		"low S":                 {sig, true},
		"bytes after the DER":   {append(bytes.Clone(sig), 1, 2, 3), true}, // as in Fabric
		"high S":                {join(t, high), false},
		"zero R":                {join(t, rs{big.NewInt(0), low.S}), false},
		"zero S":                {join(t, rs{low.R, big.NewInt(0)}), false},
		"negative R":            {join(t, rs{new(big.Int).Neg(low.R), low.S}), false},
		"R above the order":     {join(t, rs{new(big.Int).Add(low.R, n), low.S}), false},
		"truncated":             {sig[:len(sig)-1], false},
		"raw R and S, no DER":   {append(low.R.Bytes(), low.S.Bytes()...), false},
		"altered":               {join(t, rs{new(big.Int).Add(low.R, big.NewInt(1)), low.S}), false},
		"S of another curve":    {join(t, rs{low.R, elliptic.P521().Params().N}), false},
		"half the order plus 1": {join(t, rs{low.R, new(big.Int).Add(new(big.Int).Rsh(n, 1), big.NewInt(1))}), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := id.Verify(msg, tt.sig); tt.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, msp.ErrSignature)
			}
		})
	}
}

func TestHighSErrorSaysSo(t *testing.T) {
	key := ecKey(t, elliptic.P384())
	id := certify(t, rootCA(t, "ca"), "signer", key).signer(t, testMSP)
	sig, err := id.Sign([]byte("m"))
	require.NoError(t, err)
	v := split(t, sig)
	v.S.Sub(key.Params().N, v.S)
	require.ErrorContains(t, id.Verify([]byte("m"), join(t, v)), "half the order of P-384")
}

func TestRSASignaturesAreRefused(t *testing.T) {
	ca, key := rootCA(t, "ca"), rsaKey(t)
	leaf := certify(t, ca, "rsa", key)
	_, err := msp.NewSigningIdentity(testMSP, leaf.pem, key)
	require.ErrorIs(t, err, msp.ErrKeyType)

	digest := sha256.Sum256([]byte("m"))
	sig, err := key.Sign(nil, digest[:], crypto.SHA256)
	require.NoError(t, err)
	require.ErrorIs(t, leaf.identity(t, testMSP).Verify([]byte("m"), sig), msp.ErrSignature)
}
