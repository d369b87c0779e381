// SPDX-License-Identifier: Apache-2.0

package msp_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	mspproto "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/weft-p2p/weft/msp"
)

func serialized(t testing.TB, mspID string, idBytes []byte) []byte {
	t.Helper()
	raw, err := proto.Marshal(&mspproto.SerializedIdentity{Mspid: mspID, IdBytes: idBytes})
	require.NoError(t, err)
	return raw
}

func TestParseIdentityForms(t *testing.T) {
	leaf := rootCA(t, "ca").issue(t, "peer0")
	der := leaf.cert.Raw
	block := func(kind string) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	tests := map[string]struct {
		raw             []byte
		parses, creator bool
	}{
		"a certificate":            {serialized(t, testMSP, leaf.pem), true, true},
		"PEM without a type":       {serialized(t, testMSP, block("")), true, true},
		"text before the block":    {serialized(t, testMSP, append([]byte("hello\n"), leaf.pem...)), true, true},
		"other PEM type":           {serialized(t, testMSP, block("TRUSTED CERTIFICATE")), false, true},
		"two blocks":               {serialized(t, testMSP, append(bytes.Clone(leaf.pem), leaf.pem...)), false, true},
		"trailing bytes":           {serialized(t, testMSP, append(bytes.Clone(leaf.pem), 'x')), false, true},
		"trailing newline":         {serialized(t, testMSP, append(bytes.Clone(leaf.pem), '\n')), false, true},
		"bytes after the DER":      {serialized(t, testMSP, certPEM(append(bytes.Clone(der), 0))), false, false},
		"DER, no PEM":              {serialized(t, testMSP, der), false, false},
		"empty":                    {nil, false, false},
		"no certificate":           {serialized(t, testMSP, nil), false, false},
		"no MSP ID":                {serialized(t, "", leaf.pem), false, false},
		"garbage in PEM":           {serialized(t, testMSP, certPEM([]byte("garbage"))), false, false},
		"not a protobuf":           {[]byte("not a protobuf"), false, false},
		"signature padded":         {serialized(t, testMSP, certPEM(padSignature(t, der))), false, true},
		"signature of no integers": {serialized(t, testMSP, certPEM(withSignature(t, der, []byte("sig")))), false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id, err := msp.ParseIdentity(tt.raw)
			check(t, tt.parses, id, err, tt.raw)
			id, err = msp.ParseCreator(tt.raw)
			check(t, tt.creator, id, err, tt.raw)
		})
	}
}

func check(t *testing.T, ok bool, id *msp.Identity, err error, raw []byte) {
	t.Helper()
	if !ok {
		require.ErrorIs(t, err, msp.ErrMalformed)
		return
	}
	require.NoError(t, err)
	require.Equal(t, testMSP, id.MSPID())
	require.Equal(t, raw, id.Serialize())
	require.Equal(t, "peer0", id.Certificate().Subject.CommonName)
}

func TestParseIdentitySize(t *testing.T) {
	leaf := rootCA(t, "ca").issue(t, "peer0")
	base := serialized(t, testMSP, leaf.pem)
	pad := func(total int) []byte { // an unknown field of protobuf fills up
		raw := protowire.AppendTag(bytes.Clone(base), 99, protowire.BytesType)
		return protowire.AppendBytes(raw, make([]byte, total-len(raw)-2)) // the length takes two bytes
	}
	at := pad(msp.MaxIdentity)
	require.Len(t, at, msp.MaxIdentity)
	_, err := msp.ParseIdentity(at)
	require.NoError(t, err)
	_, err = msp.ParseIdentity(pad(msp.MaxIdentity + 1))
	require.ErrorIs(t, err, msp.ErrMalformed)
	require.ErrorContains(t, err, "at most 16384")

	_, err = msp.NewIdentity(strings.Repeat("M", msp.MaxIdentity), leaf.pem)
	require.ErrorIs(t, err, msp.ErrMalformed)
}

func TestIdentityOwnsItsBytes(t *testing.T) {
	raw := serialized(t, testMSP, rootCA(t, "ca").issue(t, "peer0").pem)
	want := bytes.Clone(raw)
	id, err := msp.ParseIdentity(raw)
	require.NoError(t, err)
	clear(raw)
	require.Equal(t, want, id.Serialize())
}

func TestKeyAndDigest(t *testing.T) {
	ca, key := rootCA(t, "ca"), ecKey(t, elliptic.P256())
	first, renewed := certify(t, ca, "peer0", key), certify(t, ca, "peer0", key)
	a, b := first.identity(t, testMSP), renewed.identity(t, testMSP)
	require.Equal(t, a.Key(), b.Key(), "a renewed certificate keeps its key")
	require.NotEqual(t, a.Digest(), b.Digest())
	require.NotEqual(t, a.Key(), first.identity(t, "OtherMSP").Key())
	require.Equal(t, a.Digest(), first.identity(t, "OtherMSP").Digest())
	require.NotEqual(t, a.Key(), ca.issue(t, "peer0").identity(t, testMSP).Key())
}

// A certificate and its high-S twin must be one identity, else one signer could
// count twice in a policy.
func TestHighSTwinOfACertificate(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		t.Run(curve.Params().Name, func(t *testing.T) {
			ca := certify(t, nil, "ca", ecKey(t, curve), asCA)
			leaf := ca.issue(t, "peer0", unit("peer"))
			twin := withSignature(t, leaf.cert.Raw, twinSignature(t, curve, leaf.cert.Signature))
			require.NotEqual(t, leaf.cert.Raw, twin)

			a := leaf.identity(t, testMSP)
			b, err := msp.ParseIdentity(serialized(t, testMSP, certPEM(twin)))
			require.NoError(t, err)
			require.Equal(t, a.Digest(), b.Digest())
			require.Equal(t, a.Certificate().Raw, b.Certificate().Raw)

			v := split(t, a.Certificate().Signature)
			require.LessOrEqual(t, v.S.Cmp(new(big.Int).Rsh(curve.Params().N, 1)), 0)
			m := newMSP(t, orgConfig(ca), msp.V1_4_3)
			require.NoError(t, m.Validate(a))
			require.NoError(t, m.Validate(b))
		})
	}
}

func TestIdentityValidAt(t *testing.T) {
	id := rootCA(t, "ca").issue(t, "peer0", validity(epoch, epoch.Add(time.Hour))).identity(t, testMSP)
	require.Equal(t, epoch.Add(time.Hour), id.ExpiresAt())
	require.ErrorIs(t, id.ValidAt(epoch.Add(-time.Second)), msp.ErrNotYetValid)
	require.NoError(t, id.ValidAt(epoch))
	require.NoError(t, id.ValidAt(epoch.Add(time.Hour)))
	require.ErrorIs(t, id.ValidAt(epoch.Add(time.Hour+time.Second)), msp.ErrExpired)
}

func TestNewSigningIdentityKeyMismatch(t *testing.T) {
	ca := rootCA(t, "ca")
	leaf := ca.issue(t, "peer0")
	_, err := msp.NewSigningIdentity(testMSP, leaf.pem, ecKey(t, elliptic.P256()))
	require.ErrorIs(t, err, msp.ErrKeyMismatch)
	_, err = msp.NewSigningIdentity(testMSP, leaf.pem, edKey(t))
	require.ErrorIs(t, err, msp.ErrKeyMismatch)
	_, err = msp.NewSigningIdentity(testMSP, leaf.pem, nil)
	require.ErrorIs(t, err, msp.ErrKeyMismatch)
	_, err = msp.NewSigningIdentity(testMSP, []byte("garbage"), leaf.key)
	require.ErrorIs(t, err, msp.ErrMalformed)
}

// A transaction of a real network: creator and signature of its envelope.
func TestRealTransactionSignature(t *testing.T) {
	env, id := realEnvelope(t)
	require.Equal(t, "Org1MSP", id.MSPID())
	require.NoError(t, id.Verify(env.GetPayload(), env.GetSignature()))
	env.Payload[10] ^= 1
	require.ErrorIs(t, id.Verify(env.GetPayload(), env.GetSignature()), msp.ErrSignature)
}

func realEnvelope(t testing.TB) (*common.Envelope, *msp.Identity) {
	t.Helper()
	var env common.Envelope
	load(t, "testdata/envelope-user2-org1.pb", &env)
	var payload common.Payload
	require.NoError(t, proto.Unmarshal(env.GetPayload(), &payload))
	var header common.SignatureHeader
	require.NoError(t, proto.Unmarshal(payload.GetHeader().GetSignatureHeader(), &header))
	id, err := msp.ParseIdentity(header.GetCreator())
	require.NoError(t, err)
	return &env, id
}

type parts struct {
	TBS, Algorithm asn1.RawValue
	Signature      asn1.BitString
}

// withSignature swaps the signature of a certificate.
func withSignature(t *testing.T, der, sig []byte) []byte {
	t.Helper()
	var p parts
	_, err := asn1.Unmarshal(der, &p)
	require.NoError(t, err)
	p.Signature = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	out, err := asn1.Marshal(p)
	require.NoError(t, err)
	return out
}

// padSignature puts a byte after the signature's DER, inside the certificate.
func padSignature(t *testing.T, der []byte) []byte {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return withSignature(t, der, append(bytes.Clone(cert.Signature), 0))
}

func twinSignature(t *testing.T, c elliptic.Curve, sig []byte) []byte {
	t.Helper()
	v := split(t, sig)
	v.S.Sub(c.Params().N, v.S)
	return join(t, v)
}

// The lenient reader takes a padded certificate signature, but no MSP does: Fabric
// verifies the signature as it is before it rewrites it. So it is no second
// identity that would count twice in a policy.
func TestPaddedTwinOfACertificate(t *testing.T) {
	ca := rootCA(t, "ca")
	m := newMSP(t, orgConfig(ca), msp.V1_4_3)
	for range 4 { // with high and low S
		leaf := ca.issue(t, "peer0", unit("peer"))
		twin, err := msp.ParseCreator(serialized(t, testMSP, certPEM(padSignature(t, leaf.cert.Raw))))
		require.NoError(t, err)
		require.NoError(t, m.Recognizes(leaf.identity(t, testMSP)))
		require.ErrorIs(t, m.Recognizes(twin), msp.ErrUnknownCA)
		require.ErrorIs(t, m.Validate(twin), msp.ErrUnknownCA)
	}
}
