// SPDX-License-Identifier: Apache-2.0

//lint:file-ignore SA1019 the types of old lists, which Fabric reads

package msp_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weft-p2p/weft/msp"
)

// Lists in forms that Go's newer reader refuses, and Fabric does not.
func TestRevocationListsOfOldForms(t *testing.T) {
	ca := rootCA(t, "ca")
	revoked, kept := ca.issue(t, "revoked", unit("peer")), ca.issue(t, "kept", unit("peer"))
	extension := func(value ...byte) []pkix.Extension { return []pkix.Extension{{Id: []int{2, 5, 29, 35}, Value: value}} }
	tests := map[string]struct {
		alter         func(*pkix.TBSCertificateList)
		revoked, kept error
	}{
		"as it is":             {func(*pkix.TBSCertificateList) {}, msp.ErrRevoked, nil},
		"no extensions":        {func(l *pkix.TBSCertificateList) { l.Version, l.Extensions = 0, nil }, msp.ErrInvalid, msp.ErrInvalid},
		"no key identifier":    {func(l *pkix.TBSCertificateList) { l.Extensions = extension(0x30, 0x00) }, nil, nil},
		"malformed identifier": {func(l *pkix.TBSCertificateList) { l.Extensions = extension(0xff) }, msp.ErrInvalid, msp.ErrInvalid},
		"critical identifier":  {func(l *pkix.TBSCertificateList) { l.Extensions[0].Critical = true }, msp.ErrRevoked, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			conf := orgConfig(ca)
			conf.RevocationList = [][]byte{alteredCRL(t, ca, tt.alter, revoked)}
			m := newMSP(t, conf, msp.V1_4_3)
			require.ErrorIs(t, m.Validate(revoked.identity(t, testMSP)), tt.revoked)
			require.ErrorIs(t, m.Validate(kept.identity(t, testMSP)), tt.kept)
		})
	}
}

// alteredCRL makes a list, alters it and signs it again.
func alteredCRL(t *testing.T, ca *authority, alter func(*pkix.TBSCertificateList), revoked ...*authority) []byte {
	t.Helper()
	block, _ := pem.Decode(ca.crl(t, revoked...))
	var list pkix.CertificateList
	_, err := asn1.Unmarshal(block.Bytes, &list)
	require.NoError(t, err)
	alter(&list.TBSCertList)
	list.TBSCertList.Raw = nil
	raw, err := asn1.Marshal(list.TBSCertList)
	require.NoError(t, err)
	digest := sha256.Sum256(raw)
	sig, err := ca.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	require.NoError(t, err)
	list.SignatureValue = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	out, err := asn1.Marshal(list)
	require.NoError(t, err)
	return out
}
